/** Every version of a badge: who saved it, when, and what it asked for. */

import { moment, say } from "/assets/page.js";
import { paged, query, row, section, table } from "/assets/people-lists.js";
import { api } from "/assets/people-session.js";

/** The section of a badge's versions, newest first. */
export function historySection(id) {
  const headings = ["version", "saved_at", "saved_by", "state", "asks_for"].map((each) => say(`heading_${each}`));
  const { node, body } = table(say("history"), headings, []);
  const load = (after) => api(query(`/v1/badge-definitions/${id}/versions`, { limit: 10, after }));
  return section("history", node, paged(body, load, version));
}

function version(each) {
  const state = say(each.deleted ? "state_deleted" : `state_${each.status}`);
  const asked = each.summary ?? say("invalid_criteria");
  return row(String(each.version), moment(each.saved_at), each.saved_by, state, asked);
}
