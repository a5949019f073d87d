/** What a mentor did in all. */

import { day, element, number, say } from "/assets/page.js";
import { wrong } from "/assets/people-dialog.js";
import { pair, section } from "/assets/people-lists.js";
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
  fill(id, list);
  return section("stats", list);
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
    list.replaceWith(wrong(error));
  }
}
