/** What both pages show alike: sections, lists by pages, the search for a mentor, and changes of view. */

import { element, freshId, language, say } from "/assets/page.js";
import { wrong } from "/assets/people-dialog.js";
import { api } from "/assets/people-session.js";

/** The address of another page, in the language of this one. */
export function pageAt(path, hash) {
  return `${path}?lang=${language}#${hash}`;
}

/** A link to a mentor's page. */
export function mentorLink(id, name) {
  return element("a", { href: pageAt("/mentor", `/${id}`) }, name || say("nameless"));
}

/** A section under the heading that `key` is the text of, and the id. */
export function section(key, ...nodes) {
  const heading = element("h2", { id: key }, say(key));
  return element("section", { class: "stack", "aria-labelledby": key }, heading, ...nodes);
}

/** A term of a <dl> with what there is to say of it. */
export function pair(term, text) {
  return element("div", {}, element("dt", {}, term), element("dd", {}, text));
}

/** A table in a box, and its body. The caption is seen where no heading says the same. */
export function table(caption, headings, rows, { captioned = false } = {}) {
  const body = element("tbody", {}, ...rows);
  const node = element(
    "table",
    {},
    element("caption", { class: captioned ? "" : "unseen" }, caption),
    element("thead", {}, element("tr", {}, ...headings.map((each) => element("th", { scope: "col" }, each)))),
    body,
  );
  const box = element("div", { class: "wide" }, node);
  new ResizeObserver(() => reachable(box, caption)).observe(box);
  return { node: box, body };
}

/** On narrow screens a table scrolls, not the page: the keyboard has to reach what scrolls. */
function reachable(box, name) {
  const scrolls = box.scrollWidth > box.clientWidth;
  const attributes = { role: "group", tabindex: "0", "aria-label": name };
  for (const [key, value] of Object.entries(attributes)) {
    if (scrolls) box.setAttribute(key, value);
    else box.removeAttribute(key);
  }
}

/** A table's row, whose first cell heads it. */
export function row(...cells) {
  const [head, ...rest] = cells.map((each) => each ?? "");
  return element("tr", {}, element("th", { scope: "row" }, head), ...rest.map((each) => element("td", {}, each)));
}

/**
 * Fill `body` with what the API lists, page after page: the first at once, more by a button.
 * `load(after)` gives a page; `show(item)` the element of an item. Returns the place of the button.
 */
export function paged(body, load, show, nothing = say("nobody")) {
  const after = element("div", { class: "after" });
  let count = 0;

  async function next(from) {
    try {
      const found = await load(from);
      const shown = found.items.map(show);
      body.append(...shown);
      count += shown.length;
      const box = body.closest(".wide");
      if (box) box.hidden = !count;
      after.replaceChildren(...rest(found.next));
      if (from) focusOn(shown[0]);
    } catch (error) {
      after.replaceChildren(wrong(error));
    }
  }

  function rest(from) {
    if (from) return [element("button", { type: "button", click: () => next(from) }, say("more"))];
    return count ? [] : [element("p", { class: "quiet" }, nothing)];
  }

  next(null);
  return after;
}

function focusOn(shown) {
  const target = shown?.querySelector("a, button") ?? shown;
  if (!target) return;
  if (target === shown) target.tabIndex = -1;
  target.focus();
}

/** A path with the parameters that have a value. */
export function query(path, parameters) {
  const given = Object.entries(parameters).filter(([, value]) => value !== null && value !== "");
  return `${path}?${new URLSearchParams(given)}`;
}

/** The search for mentors by name; `show(mentor)` is the list's item for one that was found. */
export function mentorSearch(show) {
  const id = freshId("search");
  const input = element("input", { id, type: "search", autocomplete: "off", maxlength: 200 });
  const results = element("div", { class: "results" });
  const status = element("p", { role: "status", class: "quiet" });
  const form = element(
    "form",
    { role: "search", class: "search" },
    element("label", { for: id }, say("search_mentors")),
    input,
    element("button", { type: "submit" }, say("search")),
  );

  async function search(after) {
    return api(query("/v1/peer-mentors", { search: input.value, limit: 20, after }));
  }

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    status.textContent = "";
    const list = element("ul", { class: "mentors" });
    const load = async (after) => {
      const found = await search(after);
      if (!after) status.textContent = say(found.next ? "found_more" : "found", { count: found.items.length });
      return found;
    };
    results.replaceChildren(list, paged(list, load, (each) => element("li", {}, show(each)), say("no_mentor")));
  });
  return element("div", { class: "stack" }, form, status, results);
}

/** Show another view: its heading has the focus, and the window its title. */
export function show(place, nodes, { focus = true } = {}) {
  place.replaceChildren(...nodes.filter(Boolean));
  const heading = place.querySelector("h1");
  heading.tabIndex = -1;
  document.title = `${heading.textContent} · Badge streams`;
  if (focus) heading.focus();
}

/** Show instead of a view why there is none. */
export function showProblem(place, error) {
  show(place, [element("h1", {}, say("problem")), wrong(error)]);
}
