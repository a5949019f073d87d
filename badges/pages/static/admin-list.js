/** The badges of the organization and of every organization: what they ask for, and their state. */

import { element, say } from "/assets/page.js";
import { paged, query, row, table } from "/assets/people-lists.js";
import { api, user } from "/assets/people-session.js";

/** What state a definition is in, for people: raw and invalid ones wait for somebody. */
export function stateOf(definition) {
  if (definition.summary === null) return "invalid";
  if (definition.criteria?.type === "raw" && definition.status !== "retired") return "raw";
  return definition.status;
}

/** The mark of a state: words, and a colour beside them. */
export function stateMark(state) {
  return element("span", { class: `state ${state}` }, say(`state_${state}`));
}

/** The list, with a filter by state that the API answers where it can. */
export async function listView() {
  const choice = element(
    "select",
    { id: "state", input: fill },
    ...["all", "active", "draft", "retired", "raw", "invalid"].map((each) =>
      element("option", { value: each }, say(`filter_${each}`)),
    ),
  );
  const place = element("div", { class: "stack" });

  function fill() {
    const headings = ["name", "state", "asks_for", "holders"].map((each) => say(`heading_${each}`));
    const { node, body } = table(say("badges"), headings, []);
    const load = (after) => api(pathOf(choice.value, after)).then((page) => only(page, choice.value));
    place.replaceChildren(node, paged(body, load, item, say("no_badge")));
  }

  fill();
  const isAdmin = user().role === "admin";
  return {
    nodes: [
      element("h1", {}, say("badges")),
      isAdmin ? element("p", {}, element("a", { class: "button", href: "#/new" }, say("new_badge"))) : null,
      element("div", { class: "field inline" }, element("label", { for: "state" }, say("show")), choice),
      place,
    ],
  };
}

function pathOf(state, after) {
  const status = ["active", "draft", "retired"].includes(state) ? state : null;
  const type = state === "raw" ? "raw" : null;
  return query("/v1/badge-definitions", { include: "holders", limit: 100, status, type, after });
}

/** Of a page those that are meant: which ones are invalid the API cannot be asked for. */
function only(page, state) {
  if (state !== "raw" && state !== "invalid") return page;
  return { ...page, items: page.items.filter((each) => stateOf(each) === state) };
}

function item(each) {
  const link = element("a", { href: `#/badge/${each.id}` }, each.name || each.key);
  const everybodys = each.organization_id === null && element("span", { class: "quiet" }, " ", say("everybodys"));
  return row(
    element("span", {}, link, everybodys || null),
    stateMark(stateOf(each)),
    each.summary ?? each.warnings.join(" "),
    String(each.holders),
  );
}
