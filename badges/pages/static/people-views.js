/** Views by what stands behind the # of the address, so that back, reload and links work. */

import { say } from "/assets/page.js";
import { dialog } from "/assets/people-dialog.js";
import { show, showProblem } from "/assets/people-lists.js";

/**
 * Show in `place` the view of the address, now and whenever that changes.
 * `routes` are [pattern, view] pairs, the last one for every other address: `view(...groups)` gives
 * `nodes`, the first with the view's h1, and perhaps `unsaved()`: whether something would be lost.
 */
export async function route(place, routes) {
  let current = location.hash;
  let view = {};
  let shown = 0;

  async function go() {
    const mine = (shown += 1);
    current = location.hash;
    view = {};
    // A link to the other language leads to the same view.
    for (const link of document.querySelectorAll(".languages a")) link.hash = current;
    const path = current.slice(1) || "/";
    const [pattern, load] = routes.find(([each]) => each.test(path)) ?? routes.at(-1);
    try {
      const loaded = await load(...(pattern.exec(path)?.slice(1) ?? []));
      // What was slow does not take the place of what was asked for later.
      if (mine !== shown) return;
      view = loaded;
      show(place, view.nodes);
    } catch (error) {
      if (mine === shown) showProblem(place, error);
    }
  }

  addEventListener("hashchange", async () => {
    const wanted = location.hash;
    if (wanted === current) return;
    if (view.unsaved?.()) {
      history.replaceState(null, "", current || "#/");
      if (!(await discarded())) return;
      view = {};
      location.hash = wanted;
      return;
    }
    await go();
  });
  addEventListener("beforeunload", (event) => {
    if (view.unsaved?.()) event.preventDefault();
  });
  await go();
}

function discarded() {
  return dialog({
    title: say("discard"),
    nodes: [],
    yes: say("discard_yes"),
    no: say("discard_no"),
    act: async () => true,
  });
}
