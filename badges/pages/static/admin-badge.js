/** One badge: its form for an admin, what it asks for to everybody else, who holds it, its history. */

import { day, element, say } from "/assets/page.js";
import { definitionForm } from "/assets/admin-form.js";
import { awardSection, holdersSection } from "/assets/admin-hand.js";
import { historySection } from "/assets/admin-history.js";
import { stateMark, stateOf } from "/assets/admin-list.js";
import { pair } from "/assets/people-lists.js";
import { api, user } from "/assets/people-session.js";

/** The form of a badge that there is not yet; once all of it is saved, its own view. */
export async function newView() {
  const heading = element("h1", {}, say("new_badge"));
  const form = await definitionForm(null, (saved) => {
    heading.textContent = saved.name;
    if (form.node.isConnected && !form.unsaved()) location.hash = `/badge/${saved.id}`;
  });
  return { nodes: [heading, form.node], unsaved: form.unsaved };
}

/** A badge that is there; an admin edits those of the organization. */
export async function editView(id) {
  const definition = await api(`/v1/badge-definitions/${id}`, { exact: true });
  const isAdmin = user().role === "admin";
  const isOwn = definition.organization_id !== null;
  const heading = element("h1", {}, definition.name || definition.key);
  const state = element("p", {}, stateMark(stateOf(definition)));
  const history = element("div", { class: "stack" });
  const holders = holdersSection(id, isAdmin);
  let form = null;

  function saved(now) {
    heading.textContent = now.name || now.key;
    state.replaceChildren(stateMark(stateOf(now)));
    history.replaceChildren(historySection(id));
  }

  if (isAdmin && isOwn) form = await definitionForm(definition, saved);
  saved(definition);
  const award = isAdmin && definition.status !== "draft" ? awardSection(definition, holders.refresh) : null;
  return {
    nodes: [
      heading,
      state,
      isOwn ? null : element("p", { class: "notice" }, say("everybodys_why")),
      form?.node ?? facts(definition),
      holders.node,
      award,
      history,
    ],
    unsaved: () => form?.unsaved() ?? false,
  };
}

/** What there is to say of a definition that is only read. */
function facts(definition) {
  const said = [
    ["heading_asks_for", definition.summary ?? say("invalid_criteria")],
    ["field_key", definition.key],
    ["field_description", definition.description],
    ["field_counts_from", definition.counts_from && day(definition.counts_from)],
    ["field_revocable", say(definition.revocable ? "yes" : "no")],
  ].filter(([, text]) => text);
  return element(
    "div",
    { class: "stack" },
    element("dl", {}, ...said.map(([key, text]) => pair(say(key), text))),
    ...definition.warnings.map((each) => element("p", { class: "notice" }, each)),
  );
}
