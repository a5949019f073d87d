/** What a mentor did in all. */

import { element, number, say } from "/assets/page.js";
import { tell } from "/assets/people-dialog.js";
import { day } from "/assets/people-lists.js";
import { api } from "/assets/people-session.js";

const COUNTS = [
  "activity_count", "minutes_total", "active_days", "training_count",
  "day_streak_current", "day_streak_longest", "week_streak_current", "week_streak_longest",
  "month_streak_current", "month_streak_longest",
]; // prettier-ignore
const DAYS = ["first_activity_on", "last_activity_on"];

/** The section of a mentor's statistics. */
export function statsSection(id) {
  const list = element("dl", {});
  const node = element(
    "section",
    { class: "stack", "aria-labelledby": "stats" },
    element("h2", { id: "stats" }, say("stats")),
    list,
  );
  fill(id, list);
  return node;
}

async function fill(id, list) {
  try {
    const found = await api(`/v1/peer-mentors/${id}/stats`);
    const counts = COUNTS.map((key) => pair(say(`stats_${key}`), number(found[key])));
    const days = DAYS.filter((key) => found[key]).map((key) => pair(say(`stats_${key}`), day(found[key])));
    const types = Object.entries(found.counts_by_type).map(([type, count]) => {
      return pair(say("stats_of_type", { type }), number(count));
    });
    list.append(...counts, ...days, ...types);
  } catch (error) {
    const wrong = element("p", { class: "notice", role: "alert" });
    tell(wrong, error);
    list.replaceWith(wrong);
  }
}

function pair(term, text) {
  return element("div", {}, element("dt", {}, term), element("dd", {}, text));
}
