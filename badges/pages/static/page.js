/** What every page does alike: its words, requests to the API, elements, announcements, the look. */

import { readExactly, writeExactly } from "/assets/page-json.js";

export const language = document.documentElement.lang;
/** How numbers and times are written: hours from 0 to 23 in both languages. */
const locale = language === "en" ? "en-GB" : language;

const words = JSON.parse(document.querySelector("#words").textContent);
const plurals = new Intl.PluralRules(language);

/**
 * The text of a key in the page's language, with values for its {names}.
 * A text with plural forms takes that of `values.count`. Numbers are written as the language does.
 */
export function say(key, values = {}) {
  const found = words[key];
  if (found === undefined) throw new Error(`no text has the key ${key}`);
  const text = typeof found === "string" ? found : (found[plurals.select(values.count)] ?? found.other);
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name];
    return typeof value === "number" ? number(value) : value;
  });
}

/** Whether there is a text of a key: of what a schema names there need not be one. */
export function knows(key) {
  return Object.hasOwn(words, key);
}

/** A number as the language writes it; `digits` behind the point at most. */
export function number(value, digits = 0) {
  return new Intl.NumberFormat(locale, { maximumFractionDigits: digits }).format(value);
}

/** The time of day of a Date, or of a time as the API writes it. */
export function clock(time) {
  return new Intl.DateTimeFormat(locale, { timeStyle: "medium" }).format(new Date(time));
}

/** An instant with its day, by the reader's clock. */
export function moment(time) {
  return new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "short" }).format(new Date(time));
}

/** An instant, with its day where that is not today. */
export function lately(time) {
  const isToday = new Date(time).toDateString() === new Date().toDateString();
  return isToday ? clock(time) : moment(time);
}

/** A date as the API writes it, 2026-01-31, as the API's sentences write it: 31 January 2026. */
export function day(text) {
  const format = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeZone: "UTC" });
  return format.format(new Date(`${text}T00:00:00Z`));
}

/** What the API says is wrong, by its problem document: `status`, `message`, `errors`, all of it in `body`. */
export class Problem extends Error {
  constructor(status, body) {
    super(body.detail ?? String(status));
    this.status = status;
    this.body = body;
    this.errors = body.errors ?? [];
  }
}

/**
 * Ask the API, and return the JSON that it answers (null without any).
 * `json` is the body to send; `within` in ms is how long to wait; numbers of an `exact` answer keep
 * all their digits. Throws Problem for an error that the API tells, TypeError when nobody answers, and
 * DOMException when that takes too long.
 */
export async function ask(path, { method = "GET", json, token, headers = {}, within = 30_000, exact = false } = {}) {
  const sent = { "Accept-Language": language, ...headers };
  if (token) sent.Authorization = `Bearer ${token}`;
  if (json !== undefined) sent["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method,
    headers: sent,
    body: json === undefined ? undefined : writeExactly(json),
    cache: "no-store",
    signal: AbortSignal.timeout(within),
  });
  const text = await response.text();
  if (response.ok) return text ? (exact ? readExactly : JSON.parse)(text) : null;
  let problem = {};
  try {
    problem = JSON.parse(text);
  } catch {
    // Whoever stands between may answer in a form of its own.
  }
  throw new Problem(response.status, problem);
}

/**
 * An element with attributes and children; null children are left out.
 * An attribute that is false or null is left out, one that is true is empty, a function listens.
 */
export function element(name, attributes = {}, ...children) {
  const [tag, space] = name.startsWith("svg:")
    ? [name.slice(4), "http://www.w3.org/2000/svg"]
    : [name, "http://www.w3.org/1999/xhtml"];
  const made = document.createElementNS(space, tag);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value !== false && value !== null && value !== undefined)
      made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return made;
}

let lastId = 0;

/** An id that no other element has, for one of a kind. */
export function freshId(kind) {
  lastId += 1;
  return `${kind}-${lastId}`;
}

/**
 * Says things to screen readers, politely: the newest thing alone, no more often than each `every` ms,
 * nothing twice in a row, and nothing at all while it is paused.
 */
export class Announcer {
  #region = document.querySelector("#announcements");
  #every;
  #last = -Infinity;
  #said = "";
  #timer = null;
  paused = false;

  constructor(every = 10_000) {
    this.#every = every;
  }

  say(text) {
    clearTimeout(this.#timer);
    if (text === this.#said) return;
    const wait = this.#last + this.#every - performance.now();
    this.#timer = setTimeout(() => this.#now(text), Math.max(0, wait));
  }

  #now(text) {
    if (this.paused) return;
    this.#last = performance.now();
    this.#said = text;
    this.#region.textContent = text;
  }
}

for (const link of document.querySelectorAll(".languages a")) {
  if (link.lang === language) link.setAttribute("aria-current", "true");
}

const theme = document.querySelector("#theme");
theme.value = document.documentElement.dataset.theme;
theme.addEventListener("change", () => {
  document.documentElement.dataset.theme = theme.value;
  const age = theme.value ? 365 * 24 * 60 * 60 : 0;
  document.cookie = `theme=${theme.value}; path=/; max-age=${age}; samesite=strict`;
});
