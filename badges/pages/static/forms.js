/**
 * A form for whatever a JSON schema describes: objects, lists, alternatives and single values.
 * It knows no type of criteria: what there is to fill in, and within which bounds, the schema says.
 *
 * Every control has `node`, `value()` (undefined: it is left out) and `fields(path)`, which gives
 * [path, {input, name, report(text)}] of itself and of all within it, by JSON path.
 */

import { element, freshId, say } from "/assets/page.js";
import { nameOf, numbered, report, single, wordFor } from "/assets/forms-fields.js";
import { alternatives, chosen, kindOf, members, nearest, plain } from "/assets/forms-schema.js";

/**
 * The control of a schema's value.
 * `document` is what references point into; `lists` the ids of datalists by the kind that
 * `x-names-of` says; `changed` is called whenever somebody changes something.
 */
export function formOf(schema, value, { document, lists, changed }) {
  const place = { key: "criteria", owner: "", needed: true, root: true };
  return control(plain(schema, document), place, value, { document, lists, changed });
}

function control(schema, place, value, form) {
  switch (kindOf(schema)) {
    case "constant":
      return { node: null, value: () => schema.const, fields: () => [] };
    case "choice":
      return choice(schema, place, value, form);
    case "object":
      return group(nameOf(place, schema), insideOf(schema, place, value, form));
    case "list":
      return list(schema, place, value, form);
    default:
      return single(schema, place, value, form.changed);
  }
}

/** What stands in an object: its controls, by key. */
function insideOf(schema, place, value, form) {
  const owner = place.kind ?? schema.title;
  const inside = members(schema, form.document, place.root).map((each) => {
    const at = { key: each.key, owner, needed: each.needed };
    return [each.key, control(each.schema, at, value?.[each.key], form)];
  });
  return {
    nodes: inside.map(([, each]) => each.node),
    value() {
      const written = inside.map(([key, each]) => [key, each.value()]);
      return Object.fromEntries(written.filter(([, each]) => each !== undefined));
    },
    fields: (path) => inside.flatMap(([key, each]) => each.fields(`${path}.${key}`)),
  };
}

/** A fieldset around controls, which can say itself what is wrong. */
function group(name, inside, extra = []) {
  const id = freshId("field");
  const error = element("p", { class: "error", id: `${id}-error`, hidden: true });
  const legend = element("legend", {}, name);
  const node = element("fieldset", { id, tabindex: "-1" }, legend, error, ...extra, ...inside.nodes);
  const field = { input: node, name, report: (text) => report(node, error, null, text) };
  return {
    node,
    legend,
    value: inside.value,
    fields: (path) => [[path, field], ...inside.fields(path)],
  };
}

/** One of several objects: which of them, and then its own controls. */
function choice(schema, place, value, form) {
  const tag = schema.discriminator?.propertyName;
  const options = alternatives(schema, form.document);
  const id = freshId("field");
  const select = element(
    "select",
    { id, required: place.needed },
    element("option", { value: "" }, place.needed ? say("choose") : say("none")),
    ...options.map(({ name, schema: each }) =>
      element("option", { value: name }, wordFor([`type_${name}`, `option_${name}`], each.title ?? name)),
    ),
  );
  const error = element("p", { class: "error", id: `${id}-error`, hidden: true });
  const about = element("span", { class: "hint", id: `${id}-hint` });
  const field = { input: select, name: say("type"), report: (text) => report(select, error, about, text) };
  const label = element("label", { for: id }, tag ? say("type") : say("which"));
  const head = element("div", { class: "field" }, label, about, select, error);
  const rest = element("div", { class: "stack" });
  let inside = null;

  function show(name, from) {
    const option = options.find((each) => each.name === name);
    const at = { ...place, kind: name };
    inside = option ? insideOf(option.schema, at, from, form) : null;
    about.textContent = option ? wordFor([`about_${name}`], option.schema.description ?? "") : "";
    rest.replaceChildren(...(inside?.nodes ?? []).filter(Boolean));
    field.report("");
  }

  show((select.value = chosen(options, value, tag)?.name ?? ""), value);
  select.addEventListener("input", () => {
    // What both alternatives have stays as it was written.
    show(select.value, inside?.value());
    form.changed();
  });
  return group(nameOf(place, schema), {
    nodes: [head, rest],
    value: () => inside?.value() ?? (place.needed ? {} : undefined),
    fields: (path) => [
      [tag ? `${path}.${tag}` : path, field],
      ...(inside?.fields(path) ?? []),
    ],
  });
}

/** Any number of the same, with a button that adds one and one in each that takes it away. */
function list(schema, place, value, form) {
  const name = nameOf(place, schema);
  const one = wordFor([`one_${place.key}`], name);
  const items = plain(schema.items, form.document);
  const rows = element("div", { class: "stack" });
  const add = element("button", { type: "button", click: () => added() }, say("add", { what: one }));
  let inside = [];

  function rename() {
    for (const [index, each] of inside.entries()) each.rename(numbered(one, index));
  }

  function row(from) {
    const at = { key: place.key, owner: place.owner, needed: true, name: one, hint: false };
    at.list = form.lists[schema["x-names-of"]];
    const made = control(items, at, from, form);
    const label = made.legend ?? made.node.querySelector("label");
    const remove = element("button", { type: "button", class: "small", click: () => removed(each) });
    const [[, own]] = made.fields("");
    const each = {
      made,
      node: element("div", { class: made.legend ? "item" : "item line" }, made.node, remove),
      rename(text) {
        label.textContent = own.name = text;
        remove.textContent = say("remove", { what: text });
      },
    };
    inside.push(each);
    rows.append(each.node);
    return each;
  }

  function added() {
    const { node } = row(undefined);
    rename();
    form.changed();
    node.querySelector("input, select, textarea").focus();
  }

  function removed(each) {
    const index = inside.indexOf(each);
    inside = inside.filter((other) => other !== each);
    each.node.remove();
    rename();
    form.changed();
    // Focus stays near: at what took its place, else where one is added.
    (inside[index]?.node.querySelector("input, select, textarea") ?? add).focus();
  }

  for (const each of value ?? (place.needed ? [undefined] : [])) row(each);
  rename();
  return group(name, {
    nodes: [rows, add],
    value() {
      const written = inside.map((each) => each.made.value() ?? "");
      return written.length || place.needed ? written : undefined;
    },
    fields: (path) => inside.flatMap((each, index) => each.made.fields(`${path}[${index}]`)),
  });
}

/**
 * Tie what is wrong to the fields it is about; `shows(input)` says for which of them it is told yet.
 * Returns [error, field] of all of them, field undefined where the form has none for the path.
 */
export function tie(errors, fields, shows = () => true) {
  const byPath = new Map();
  for (const [path, field] of fields) byPath.set(path, field);
  const paths = [...byPath.keys()];
  const found = errors.map((error) => [error, byPath.get(nearest(error.path, paths))]);
  for (const [, field] of fields) {
    const own = found.filter(([, each]) => each === field).map(([error]) => worded(error));
    field.report(shows(field.input) ? own.join(" ") : "");
  }
  return found;
}

/** What is wrong, and what to try, as one text. */
export function worded({ message, hint }) {
  return hint ? `${message} (${hint})` : message;
}
