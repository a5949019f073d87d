/** The badges that a mentor holds or held, and why. */

import { day, element, moment, say } from "/assets/page.js";
import { paged, query, section } from "/assets/people-lists.js";
import { api } from "/assets/people-session.js";

/** The section of a mentor's badges; those that were taken away are said to be. */
export function badgesSection(id) {
  const list = element("ul", { class: "cards" });
  const asOf = element("p", { class: "quiet" });
  const load = async (after) => {
    const path = `/v1/peer-mentors/${id}/badges`;
    const found = await api(query(path, { include: "revoked", limit: 50, after }));
    asOf.textContent = found.as_of ? say("as_of", { when: moment(found.as_of) }) : "";
    return found;
  };
  const rest = paged(list, load, badge, say("no_badge_held"));
  return section("held", asOf, list, rest);
}

function badge(each) {
  const name = each.name || each.key;
  const title = each.tier ? say("with_tier", { name, tier: each.tier }) : name;
  const gone = each.revoked_at && say("taken", { when: moment(each.revoked_at), who: takenBy(each.revoked_by) });
  return element(
    "li",
    { class: gone ? "card taken" : "card" },
    element("h3", {}, title),
    each.description ? element("p", {}, each.description) : null,
    element("p", {}, say("why", { why: each.why })),
    element("p", { class: "quiet" }, say("earned_on", { date: day(each.earned_on) })),
    gone ? element("p", { class: "notice" }, gone) : null,
  );
}

function takenBy(who) {
  return who === "rule" ? say("by_rule") : who;
}
