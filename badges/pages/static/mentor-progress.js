/** How far a mentor is with each badge, and what is missing: bars, and the same in words. */

import { day, element, number, say } from "/assets/page.js";
import { paged, query, section } from "/assets/people-lists.js";
import { api } from "/assets/people-session.js";

/** The section of a mentor's progress: a badge that is held stays listed while a tier is ahead. */
export function progressSection(id) {
  const list = element("ul", { class: "cards" });
  const load = async (after) => {
    const found = await api(query(`/v1/peer-mentors/${id}/progress`, { limit: 50, after }));
    return { ...found, items: found.items.filter((each) => !each.held || each.next_tier) };
  };
  return section("ahead", list, paged(list, load, badge, say("nothing_ahead")));
}

function badge(each) {
  const name = each.name || each.key;
  const title = each.next_tier ? say("with_tier", { name, tier: each.next_tier }) : name;
  return element("li", { class: "card" }, element("h3", {}, title), ...standing(each, title));
}

/** How far, as a bar and in words, with what is missing and until when a streak can be saved. */
function standing(each, name) {
  const said = say("so_many", { done: each.done, needed: each.needed, unit: each.unit });
  const share = each.next_tier ? Math.floor((100 * Math.min(each.done, each.needed)) / each.needed) : each.percent;
  return [
    element(
      "p",
      { class: "standing" },
      element("progress", { value: share, max: 100, "aria-label": say("progress_of", { name }) }, `${share} %`),
      element("span", {}, `${said} (${number(share)} %)`),
    ),
    each.missing ? element("p", {}, each.missing) : null,
    each.at_risk_until ? element("p", { class: "notice" }, say("at_risk", { date: day(each.at_risk_until) })) : null,
    each.parts.length ? element("ul", { class: "parts" }, ...each.parts.map((part, index) => partOf(part, index))) : null,
  ];
}

function partOf(part, index) {
  const name = say("part", { number: index + 1 });
  return element("li", {}, element("p", { class: "quiet" }, name), ...standing(part, name));
}
