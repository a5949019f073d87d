/** Controls for single values: a label, what may stand there, the input, and room for what is wrong. */

import { element, freshId, knows, number, say } from "/assets/page.js";
import { readExactly, unmarked, writeExactly } from "/assets/page-json.js";
import { kindOf } from "/assets/forms-schema.js";

/** The first of some texts that there is, else what the schema calls it. */
export function wordFor(keys, fallback) {
  const key = keys.find(knows);
  return key === undefined ? fallback : say(key);
}

/** A field's name for people, by the object that it stands in. */
export function nameOf(place, schema) {
  return wordFor([`field_${place.owner}_${place.key}`, `field_${place.key}`], schema.title ?? place.key);
}

function hintOf(place, schema) {
  if (knows(`hint_${place.key}`)) return say(`hint_${place.key}`);
  if (schema.minimum === undefined) return null;
  const values = { least: schema.minimum, most: schema.maximum };
  return say(schema.maximum === undefined ? "hint_least" : "hint_range", values);
}

/**
 * An input with its label, hint and room for an error; `optional` is said beside the label.
 * The error is tied to the input by `report`, and taken away by it without a text.
 */
export function labelled(name, input, { hint = null, optional = false } = {}) {
  input.id ||= freshId("field");
  const about = hint && element("span", { class: "hint", id: `${input.id}-hint` }, hint);
  const error = element("p", { class: "error", id: `${input.id}-error`, hidden: true });
  const mark = optional ? element("span", { class: "quiet" }, " (", say("optional"), ")") : null;
  const label = element("label", { for: input.id }, name, mark);
  const field = { input, name, report: (text) => report(input, error, about, text) };
  field.report("");
  const isTick = input.type === "checkbox";
  const parts = isTick ? [input, label, about, error] : [label, about, input, error];
  return { node: element("div", { class: isTick ? "field tick" : "field" }, ...parts), field };
}

/** Say at an input, or at a group of them, what is wrong with it; nothing with an empty text. */
export function report(input, error, about, text) {
  error.hidden = !text;
  error.textContent = text;
  const described = [about?.id, text ? error.id : null].filter(Boolean).join(" ");
  if (described) input.setAttribute("aria-describedby", described);
  else input.removeAttribute("aria-describedby");
  const marked = input.tagName === "FIELDSET" ? "data-invalid" : "aria-invalid";
  if (text) input.setAttribute(marked, "true");
  else input.removeAttribute(marked);
}

function wholeNumber(text) {
  if (text.trim() === "") return undefined;
  return /^-?\d+([.]\d+)?$/.test(text.trim()) ? Number(text) : text;
}

function json(text) {
  if (text.trim() === "") return undefined;
  try {
    return readExactly(text);
  } catch {
    return text;
  }
}

function select(schema, needed) {
  const nothing = needed ? say("choose") : say("none");
  const options = schema.enum.map((each) =>
    element("option", { value: each }, wordFor([`value_${each}`], String(each))),
  );
  return element("select", { required: needed }, element("option", { value: "" }, nothing), ...options);
}

function text(attributes) {
  return element("input", { autocomplete: "off", spellcheck: "false", ...attributes });
}

/** By kind: the empty input, and what its text says as a JSON value. */
const INPUTS = {
  enumeration: (schema, place) => [select(schema, place.needed), (said) => said || undefined],
  number: () => [text({ type: "text", inputmode: "numeric", class: "short" }), wholeNumber],
  date: () => [text({ type: "date", class: "short" }), (said) => said || undefined],
  text: (schema) => [text({ type: "text", maxlength: schema.maxLength ?? null }), (said) => said || undefined],
  anything: () => [element("textarea", { rows: 6, class: "code", spellcheck: "false" }), json],
};

/**
 * The control of one value: `place` says its key, the owner's name and whether it is needed.
 * As every control it has `node`, `value()` (undefined: it is left out) and `fields(path)`.
 */
export function single(schema, place, value, changed) {
  const kind = kindOf(schema);
  if (kind === "boolean") return tick(schema, place, value, changed);
  const [input, read] = INPUTS[kind](schema, place);
  const start = unmarked(value ?? schema.default ?? "");
  input.value = kind === "anything" && value !== undefined ? writeExactly(value, 2) : start;
  if (place.needed) input.required = true;
  if (place.list) input.setAttribute("list", place.list);
  input.addEventListener("input", changed);
  const optional = !place.needed && !("default" in schema && schema.default !== null);
  const options = { hint: place.hint === false ? null : hintOf(place, schema), optional };
  const { node, field } = labelled(place.name ?? nameOf(place, schema), input, options);
  const written = () => read(input.value);
  return { node, value: () => unlessDefault(written(), value, schema), fields: (path) => [[path, field]] };
}

/** What holds unless given is left out, unless it was given before. */
function unlessDefault(written, before, schema) {
  return before === undefined && written === schema.default ? undefined : written;
}

function tick(schema, place, value, changed) {
  const input = element("input", { type: "checkbox", input: changed });
  input.checked = value ?? schema.default ?? false;
  const { node, field } = labelled(nameOf(place, schema), input);
  const written = () => unlessDefault(input.checked, value, schema);
  return { node, value: written, fields: (path) => [[path, field]] };
}

/** "3 of 8" as the language writes it, for names of things in a list. */
export function numbered(name, index) {
  return `${name} ${number(index + 1)}`;
}
