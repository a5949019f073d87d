/** Who holds a badge, and what an admin does by hand: give it, and take it away. */

import { day, element, say } from "/assets/page.js";
import { dialog } from "/assets/people-dialog.js";
import { mentorLink, mentorSearch, paged, query, row, section, table } from "/assets/people-lists.js";
import { api } from "/assets/people-session.js";

/** The holders of a badge; an admin may take it from each. `refresh()` asks for them again. */
export function holdersSection(id, isAdmin) {
  const heading = element("h2", { id: "holders", tabindex: "-1" }, say("who_holds"));
  const place = element("div", { class: "stack" });
  const names = ["name", "earned_on", "tier", "awarded_by", ...(isAdmin ? ["action"] : [])];

  function refresh() {
    const { node, body } = table(say("who_holds"), names.map((each) => say(`heading_${each}`)), []);
    const load = (after) => api(query(`/v1/badge-definitions/${id}/awards`, { limit: 20, after }));
    place.replaceChildren(node, paged(body, load, holder));
  }

  function holder(each) {
    const by = each.awarded_by === "rule" ? say("by_rule") : say("by_hand", { who: each.awarded_by });
    const cells = [mentorLink(each.peer_mentor_id, each.display_name), day(each.earned_on), each.tier, by];
    return row(...cells, ...(isAdmin ? [takeButton(each)] : []));
  }

  function takeButton(each) {
    const name = each.display_name || say("nameless");
    const act = async () => {
      if (!(await take(id, each.peer_mentor_id, name))) return;
      refresh();
      heading.focus();
    };
    return element("button", { type: "button", class: "small", click: act }, say("take", { name }));
  }

  refresh();
  return { node: element("section", { class: "stack", "aria-labelledby": "holders" }, heading, place), refresh };
}

/** The search for somebody to give a badge to. */
export function awardSection(definition, given) {
  const status = element("p", { role: "status" });
  const search = mentorSearch((mentor) => {
    const name = mentor.display_name || say("nameless");
    const act = async () => {
      const award = await give(definition, mentor.peer_mentor_id, name);
      if (!award) return;
      status.textContent = say("given", { name, badge: definition.name });
      given();
    };
    return [
      element("span", {}, name, mentor.active ? null : element("span", { class: "quiet" }, " ", say("inactive"))),
      " ",
      element("button", { type: "button", class: "small", click: act }, say("give_to", { name })),
    ];
  });
  return section("give", search, status);
}

function reasonField() {
  const input = element("textarea", { id: "reason", rows: 3, maxlength: 1000, "aria-describedby": "reason-hint" });
  const hint = element("span", { class: "hint", id: "reason-hint" }, say("reason_hint"));
  const node = element("div", { class: "field" }, element("label", { for: "reason" }, say("reason")), hint, input);
  return { input, node };
}

function give(definition, mentor, name) {
  const { input, node } = reasonField();
  const json = () => ({ badge_definition_id: definition.id, reason: input.value.trim() || null });
  return dialog({
    title: say("give_title", { badge: definition.name, name }),
    nodes: [node],
    yes: say("give_yes"),
    act: () => api(`/v1/peer-mentors/${mentor}/badges`, { method: "POST", json: json() }),
  });
}

function take(definition, mentor, name) {
  const { input, node } = reasonField();
  const path = `/v1/peer-mentors/${mentor}/badges/${definition}`;
  return dialog({
    title: say("take_title", { name }),
    nodes: [element("p", {}, say("take_why")), node],
    yes: say("take_yes"),
    act: () => api(`${path}?${new URLSearchParams({ reason: input.value.trim() })}`, { method: "DELETE" }),
  });
}
