/** The dashboard: asks /v1/status each second and shows it, and says when nobody answers. */

import { Announcer, Problem, ask, clock, element, lately, number, say } from "/assets/page.js";
import { SPAN_MS, drawLegend, drawPartitions, drawStages } from "/assets/dashboard-plot.js";

const AGAIN_MS = 1000;
const WITHIN_MS = 3500;
/** So long without an answer, or with nothing measured, nobody knows whether badges are on time. */
const SILENT_MS = 4000;
const UNMEASURED_MS = 8000;

const at = (id) => document.querySelector(`#${id}`);
const announcer = new Announcer();
const seen = { status: null, answered: performance.now(), answeredAt: new Date(), problem: null };
let history = [];
let paused = false;

/** Write a text where it is another one: what stays the same is left alone, for readers and for selections. */
function write(place, text) {
  if (place.textContent !== text) place.textContent = text;
}

const put = (id, text) => write(at(id), text);

/** Seconds in a unit that makes a short number of them. */
function duration(seconds) {
  if (seconds > 0 && seconds < 0.9995) return `${number(seconds * 1000)} ms`;
  if (seconds < 120) return `${number(seconds, seconds < 10 ? 1 : 0)} s`;
  return seconds < 7200 ? `${number(seconds / 60)} min` : `${number(seconds / 3600, 1)} h`;
}

const known = (value, shown) => (value === null || value === undefined ? say("unknown") : shown(value));

/** What is to be said first: a state, a headline and why. */
function verdict() {
  const { status, problem } = seen;
  const now = performance.now();
  if (now - seen.answered > SILENT_MS) {
    const time = clock(seen.answeredAt);
    if (problem) return { state: "unknown", headline: say("verdict_problem"), why: problem.message };
    return { state: "unknown", headline: say("verdict_silent", { time }), why: say("why_silent") };
  }
  if (!status) return { state: "waiting", headline: say("verdict_waiting"), why: "" };
  const age = status.measured_at ? new Date(status.at) - new Date(status.measured_at) : Infinity;
  if (!status.lag) return { state: "waiting", headline: say("verdict_waiting"), why: "" };
  if (age > UNMEASURED_MS)
    return { state: "unknown", headline: say("verdict_unmeasured", { time: clock(status.measured_at) }), why: say("why_unmeasured") };
  return lagVerdict(status.lag, status.alerts);
}

function lagVerdict(lag, alerts) {
  if (lag.on_time) {
    const why = lag.as_of ? say("why_on_time", { time: clock(lag.as_of) }) : "";
    return { state: alerts.length ? "attention" : "good", headline: say("verdict_good"), why };
  }
  const stage = lag.stages.find((each) => each.name === lag.stage);
  if (stage) {
    const why = say("why_stage", { stage: say(`stage_${stage.name}`), state: say(`state_${stage.state}`) });
    return { state: "late", headline: say("verdict_late"), why, message: stage.message };
  }
  return { state: "late", headline: say("verdict_late"), why: say(alerts.length ? "why_alert" : "why_log") };
}

/** Show the verdict, and tell it where it is another one. */
function judge() {
  if (paused) return;
  const { state, headline, why, message = "" } = verdict();
  const top = at("top");
  if (top.dataset.state !== state) top.dataset.state = state;
  put("state", say(`state_${state}`));
  put("verdict", headline);
  put("why", why);
  put("message", message);
  const title = `${headline} · Badge streams`;
  if (document.title !== title) document.title = title;
  if (state !== "waiting") announcer.say(`${headline} ${why && state === "late" ? why : ""}`.trim());
}

function showFigures({ lag, award_seconds: awards, unlocks }) {
  put("behind", known(lag?.behind_seconds, (seconds) => duration(seconds)));
  const stage = lag?.stages.find((each) => each.name === lag.stage);
  const waits = known(lag?.behind_records, (count) => (count ? say("records", { count }) : say("nothing_waits")));
  put("behind-stage", stage ? say(`stage_${stage.name}`) : waits);
  const none = awards?.count === 0;
  put("p50", none ? "–" : known(awards?.p50, duration));
  put("p95", none ? say("latency_none") : known(awards?.p95, (seconds) => say("latency_more", { p95: duration(seconds), count: awards.count })));
  put("unlocks", known(unlocks?.last_minute, (count) => number(count)));
  const total = unlocks?.per_minute.reduce((sum, each) => sum + each.count, 0);
  put("unlocks-more", known(total, (count) => say("unlocks_more", { count })));
}

let alertsShown = "";

function showAlerts({ alerts, definitions }) {
  // Without an answer of Postgres nobody knows that there is none.
  put("no-alerts", known(definitions, () => say("alerts_none")));
  const now = JSON.stringify(alerts);
  if (now === alertsShown) return;
  alertsShown = now;
  at("no-alerts").hidden = alerts.length > 0;
  at("alerts").replaceChildren(
    ...alerts.map((alert) =>
      element(
        "li",
        {},
        element("h3", {}, alert.what),
        element("p", {}, alert.todo),
        alert.command && element("p", {}, element("code", {}, alert.command)),
        element(
          "p",
          { class: "quiet" },
          alert.since ? say("alert_since", { time: lately(alert.since) }) : say("alert_unwritten"),
          ` · ${say("alert_more")} `,
          element("code", {}, `docs/operating/${alert.page}`),
        ),
      ),
    ),
  );
}

function showStages(stages) {
  const list = at("stages");
  while (list.children.length < stages.length)
    list.append(element("li", {}, element("strong"), element("span"), element("span", { class: "quiet" })));
  stages.forEach((stage, n) => {
    const [name, state, more] = list.children[n].children;
    list.children[n].dataset.state = stage.state;
    write(name, say(`stage_${stage.name}`));
    write(state, say(`state_${stage.state}`));
    write(more, amounts(stage));
  });
}

function amounts({ behind_seconds: seconds, behind_bytes: bytes, behind_records: records }) {
  const told = [];
  if (seconds !== null) told.push(say("seconds_behind", { seconds: duration(seconds) }));
  if (bytes !== null) told.push(say("bytes_behind", { bytes: size(bytes) }));
  if (records !== null) told.push(say("records", { count: records }));
  return told.join(" · ");
}

function size(bytes) {
  if (bytes < 1e6) return `${number(bytes / 1e3, 1)} kB`;
  return bytes < 1e9 ? `${number(bytes / 1e6, 1)} MB` : `${number(bytes / 1e9, 1)} GB`;
}

function showWork(status) {
  const { lag, definitions, last_audit: audit } = status;
  put("events", known(status.events_per_minute, (count) => number(count)));
  // Where Postgres or Kafka does not answer there is nothing in its answer: that is not to say that there is none.
  const postgres = lag?.stages.some((stage) => stage.name === "slot" && stage.state !== "unreachable");
  const counted = typeof lag?.behind_records === "number";
  put("workers", known(counted || lag?.workers.length ? lag.workers.length : null, (count) => number(count)));
  put("backfill", lag?.backfill ? backfill(lag.backfill) : say(postgres ? "backfill_none" : "unknown"));
  put("catch-up", lag?.catch_up ? catchUp(lag.catch_up) : say(counted ? "catch_up_none" : "unknown"));
  put("dead-letters", known(status.dead_letters?.waiting, (count) => number(count)));
  put("refused-writes", known(status.refused_writes?.waiting, (count) => number(count)));
  put("definitions", known(definitions, (found) => say("definitions_are", found)));
  put("definitions-waiting", known(definitions, (found) => say("definitions_wait", found)));
  put("audit", audit ? auditText(audit) : status.definitions ? say("audit_none") : say("unknown"));
  put("generation", generation(lag));
}

function backfill({ definitions, partitions_done: done, partitions, seconds_left: seconds }) {
  return say("backfill_is", { count: definitions, done, partitions }) + left(seconds);
}

function catchUp({ records, seconds_left: seconds }) {
  return say("records", { count: records }) + left(seconds);
}

function left(seconds) {
  return seconds === null ? "" : ` · ${say("left", { time: duration(seconds) })}`;
}

function auditText({ finished_at: finished, findings }) {
  const count = Object.values(findings).reduce((sum, each) => sum + each, 0);
  return `${lately(finished)} · ${count ? say("audit_found", { count }) : say("audit_right")}`;
}

function generation(lag) {
  if (!lag) return say("unknown");
  if (lag.filling) return say("generation_fills", { number: lag.filling.number });
  return known(lag.generation, (found) => say("generation_is", { number: found.number, state: say(`log_${found.state}`) }));
}

/** The history as it is with what is new; without what is older than a quarter of an hour. */
function remember(samples) {
  const last = history.at(-1)?.time ?? 0;
  history.push(...samples.map((each) => ({ ...each, time: Date.parse(each.at) })).filter((each) => each.time > last));
  const end = history.at(-1)?.time ?? 0;
  history = history.filter((each) => each.time >= end - SPAN_MS);
}

function showPlots(lag) {
  if (!history.length || !lag) return;
  const names = lag.stages.map((stage) => stage.name);
  drawStages(at("stage-plot"), history, names);
  drawPartitions(at("partition-plot"), history, lag.partitions);
  if (!at("legend").children.length) drawLegend(at("legend"), names);
  if (at("as-table").open) showTables(lag, names);
}

function showTables(lag, names) {
  at("stage-heads").replaceChildren(
    element("th", { scope: "col" }, say("minute")),
    ...names.map((name) => element("th", { scope: "col", class: "figure" }, say(`stage_${name}`))),
  );
  const minutes = Map.groupBy(history, (each) => Math.floor(each.time / 60_000));
  const seconds = (value) => known(value, (found) => `${number(found, 1)} s`);
  const most = (values) => values.reduce((found, each) => (each === null || each === undefined ? found : Math.max(found ?? 0, each)), null);
  at("stage-rows").replaceChildren(
    ...[...minutes].reverse().map(([minute, samples]) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, clock(minute * 60_000)),
        ...names.map((name) => element("td", { class: "figure" }, seconds(most(samples.map((each) => each.stages[name]))))),
      ),
    ),
  );
  at("partition-rows").replaceChildren(
    ...lag.partitions.map((each) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, String(each.partition)),
        element("td", { class: "figure" }, number(each.behind_records)),
        element("td", { class: "figure" }, seconds(each.behind_seconds)),
        element("td", { class: "figure" }, seconds(most(history.map((sample) => sample.partitions[each.partition])))),
      ),
    ),
  );
}

function show(status) {
  if (paused) return;
  put("measured", say("measured", { time: clock(status.measured_at ?? status.at) }));
  judge();
  showFigures(status);
  showAlerts(status);
  showStages(status.lag?.stages ?? []);
  showWork(status);
  if (status.history.length) showPlots(status.lag);
}

async function look() {
  const since = history.at(-1)?.at;
  try {
    const status = await ask(`/v1/status${since ? `?since=${encodeURIComponent(since)}` : ""}`, { within: WITHIN_MS });
    Object.assign(seen, { status, answered: performance.now(), answeredAt: new Date(), problem: null });
    remember(status.history);
    show(status);
  } catch (error) {
    if (!(error instanceof Problem) && !(error instanceof TypeError) && !(error instanceof DOMException)) throw error;
    seen.problem = error instanceof Problem ? error : null;
    judge();
  }
}

async function keepLooking() {
  try {
    await look();
  } finally {
    setTimeout(keepLooking, AGAIN_MS);
  }
}

at("pause").addEventListener("click", () => {
  paused = !paused;
  announcer.paused = paused;
  put("pause", say(paused ? "resume" : "pause"));
  if (paused) put("measured", say("paused", { time: clock(new Date()) }));
  else if (seen.status) {
    show(seen.status);
    showPlots(seen.status.lag);
  }
});
at("as-table").addEventListener("toggle", () => showPlots(seen.status?.lag));
new ResizeObserver(() => showPlots(seen.status?.lag)).observe(at("stage-plot").parentElement);
setInterval(judge, AGAIN_MS / 2);
keepLooking();
