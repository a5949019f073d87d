/** Plots of seconds behind: one of the stages together, and a small one for each partition. */

import { clock, element, number, say } from "/assets/page.js";

/** What is drawn: the last quarter of an hour. */
export const SPAN_MS = 15 * 60_000;
const HEIGHT = 200;
const MARGIN = { left: 44, right: 8, top: 10, bottom: 26 };
const MOST_PARTITIONS = 24;

/** A round number that is not below `most`, and 1 at least. */
function ceiling(most) {
  const power = 10 ** Math.floor(Math.log10(Math.max(most, 1)));
  return [1, 2, 5, 10].map((step) => step * power).find((round) => round >= Math.max(most, 1));
}

/** The path of what is known; where it is not known there is a gap. */
function path(points, x, y) {
  let drawing = false;
  let drawn = "";
  for (const [at, seconds] of points) {
    if (seconds === null || seconds === undefined) {
      drawing = false;
      continue;
    }
    drawn += `${drawing ? "L" : "M"}${x(at).toFixed(1)} ${y(seconds).toFixed(1)}`;
    // One point alone is seen too, as a dot of a round line.
    if (!drawing) drawn += "h0.01";
    drawing = true;
  }
  return drawn;
}

/** How far behind the stages were: a line for each, told apart by its dashes and its name. */
export function drawStages(place, history, names) {
  const width = Math.max(place.clientWidth, 240);
  const end = Math.max(...history.map((each) => each.time));
  const values = history.flatMap((each) => names.map((name) => each.stages[name] ?? 0));
  const top = ceiling(Math.max(...values));
  const x = (time) => MARGIN.left + ((time - end + SPAN_MS) / SPAN_MS) * (width - MARGIN.left - MARGIN.right);
  const y = (seconds) => HEIGHT - MARGIN.bottom - (seconds / top) * (HEIGHT - MARGIN.top - MARGIN.bottom);
  const grid = [0, top / 2, top].flatMap((seconds) => [
    element("svg:line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(seconds), y2: y(seconds) }),
    element("svg:text", { x: MARGIN.left - 8, y: y(seconds) + 4, "text-anchor": "end" }, `${number(seconds, 1)} s`),
  ]);
  const times = [end - SPAN_MS, end - SPAN_MS / 2, end].map((time, n) =>
    element("svg:text", { x: x(time), y: HEIGHT - 6, "text-anchor": ["start", "middle", "end"][n] }, clock(time)),
  );
  const lines = names.map((name) =>
    element("svg:path", { class: `line line-${name}`, d: path(history.map((each) => [each.time, each.stages[name]]), x, y) }),
  );
  place.replaceChildren(
    element("svg:svg", { viewBox: `0 0 ${width} ${HEIGHT}`, height: HEIGHT, role: "img", "aria-label": say("plot_label") }, grid, times, lines),
  );
}

/** What the lines of the stages are called. */
export function drawLegend(place, names) {
  place.replaceChildren(
    ...names.map((name) =>
      element("span", {}, element("svg:svg", { viewBox: "0 0 28 8", width: 28, height: 8, "aria-hidden": "true" }, element("svg:path", { class: `line line-${name}`, d: "M1 4h26" })), say(`stage_${name}`)),
    ),
  );
}

/** A small line for each partition, with its number and how far behind it is now: the furthest first, where there are many. */
export function drawPartitions(place, history, partitions) {
  const end = Math.max(...history.map((each) => each.time));
  const behind = (each) => each.behind_seconds ?? Infinity;
  const shown = [...partitions]
    .sort((one, other) => behind(other) - behind(one))
    .slice(0, MOST_PARTITIONS)
    .sort((one, other) => one.partition - other.partition);
  const most = ceiling(Math.max(...history.flatMap((each) => Object.values(each.partitions).map((seconds) => seconds ?? 0))));
  const x = (time) => ((time - end + SPAN_MS) / SPAN_MS) * 120;
  const y = (seconds) => 22 - (seconds / most) * 20;
  place.replaceChildren(
    ...shown.map(({ partition, behind_seconds: seconds }) =>
      element(
        "p",
        {},
        element("span", { class: "quiet" }, String(partition)),
        element("svg:svg", { viewBox: "0 0 120 24", preserveAspectRatio: "none", "aria-hidden": "true" }, element("svg:path", { class: "line", d: path(history.map((each) => [each.time, each.partitions[partition]]), x, y) })),
        element("span", {}, seconds === null ? say("unknown") : `${number(seconds, 1)} s`),
      ),
    ),
  );
}
