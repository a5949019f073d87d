/** Who would hold a badge, before it is saved: how many, by name, and what changes. */

import { day, element, say } from "/assets/page.js";
import { row, table } from "/assets/people-lists.js";
import { api } from "/assets/people-session.js";

const A_PAGE = 20;

/**
 * A section that is empty until `show()`: it asks for `body()`'s criteria, and tells `refused` of
 * what the API finds wrong with them.
 */
export function previewSection(body, refused) {
  const node = element("section", { class: "stack preview", "aria-labelledby": "preview-heading", hidden: true });

  async function show() {
    const { criteria, counts_from, definition_id, revocable } = body();
    const json = { criteria, counts_from, ...(definition_id && { definition_id }) };
    const heading = element("h2", { id: "preview-heading", tabindex: "-1" }, say("preview_asked"));
    node.hidden = false;
    node.replaceChildren(heading);
    heading.focus();
    try {
      const first = await load(json, null);
      heading.textContent = say("would_hold", { count: first.count });
      node.append(...parts(first, json, revocable));
    } catch (error) {
      node.hidden = true;
      refused(error);
    }
  }

  return { node, show };
}

function load(json, after) {
  const path = `/v1/criteria/preview?limit=${A_PAGE}${after ? `&after=${after}` : ""}`;
  return api(path, { method: "POST", json, within: 60_000 });
}

function parts(first, json, revocable) {
  const nodes = [];
  if (first.gains) {
    const version = first.against_version;
    nodes.push(
      element("p", {}, say("against", { version })),
      element("p", {}, say("gains", { count: first.gains.count })),
      element("p", {}, say("losses", { count: first.losses.count })),
    );
    if (first.losses.count && !revocable) nodes.push(element("p", { class: "quiet" }, say("losses_keep")));
  }
  nodes.push(people(say("would_hold_it"), first, json, (page) => page));
  if (first.gains?.count) nodes.push(people(say("would_gain"), first, json, (page) => page.gains));
  if (first.losses?.count) nodes.push(people(say("would_lose"), first, json, (page) => page.losses));
  return nodes;
}

/** One of the lists of a preview, a page at a time: all three go on behind the same id. */
function people(title, first, json, list) {
  const total = list(first).count;
  if (!total) return element("p", { class: "quiet" }, say("nobody"));
  const headings = ["name", "earned_on", "tier"].map((each) => say(`heading_${each}`));
  const { node, body } = table(title, headings, [], { captioned: true });
  const more = element("button", { type: "button", click: () => next() }, say("more"));
  let shown = 0;
  let last = null;

  function add({ items }) {
    const rows = items.map(({ display_name: name, earned_on: on, tier }) => {
      return row(name || say("nameless"), day(on), tier);
    });
    body.append(...rows);
    shown += items.length;
    last = items.at(-1)?.peer_mentor_id;
    more.hidden = shown >= total || !items.length;
  }

  async function next() {
    const before = body.childElementCount;
    add(list(await load(json, last)));
    const first = body.rows[before];
    first.tabIndex = -1;
    first.focus();
  }

  add(list(first));
  return element("div", { class: "stack" }, node, more);
}
