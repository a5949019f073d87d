/** The fields of a badge definition around its criteria, whose form the schema gives. */

import { ask, element, say } from "/assets/page.js";
import { labelled } from "/assets/forms-fields.js";
import { formOf } from "/assets/forms.js";
import { api } from "/assets/people-session.js";

/** What people write of a definition besides its criteria. */
export const FIELDS = ["name", "key", "description", "icon", "counts_from", "revocable", "status"];
const STATUSES = ["draft", "active", "retired"];

let description = null;

/** The fields with what a definition has in them; `changed` is called when somebody writes. */
export async function definitionFields(definition, changed) {
  const [document, vocabulary] = await Promise.all([
    (description ??= ask("/openapi.json")),
    api("/v1/vocabulary"),
  ]);
  const { node: suggestions, ids } = datalists(vocabulary.names);
  const made = ordinary(definition);
  const criteria = formOf(document.components.schemas.Criteria, definition?.criteria, {
    document,
    lists: ids,
    changed,
  });
  const by = Object.fromEntries(made.map(({ key, field }) => [key, field]));
  by.name.input.addEventListener("input", suggestKey);
  if (!definition) by.key.input.addEventListener("input", () => (keyIsOwn = true));
  let keyIsOwn = Boolean(definition);
  for (const { field } of made) field.input.addEventListener("input", changed);

  function suggestKey() {
    if (!keyIsOwn) by.key.input.value = keyOf(by.name.input.value);
  }

  function missing() {
    return ["name", "key"].flatMap((key) => {
      const text = by[key].input.value.trim() ? "" : say("needed", { what: by[key].name });
      by[key].report(text);
      return text ? [[{ message: text }, by[key]]] : [];
    });
  }

  return {
    nodes: [...made.map(({ node }) => node), criteria.node, suggestions],
    field: (key) => by[key],
    criteria: () => criteria.fields("$"),
    missing,
    /** The key that was saved stays, unless somebody has written another one since. */
    settleKey(key) {
      if (!keyIsOwn) by.key.input.value = key;
      keyIsOwn = true;
    },
    setStatus: (status) => (by.status.input.value = status),
    value: () => ({
      name: by.name.input.value.trim(),
      key: by.key.input.value.trim(),
      description: by.description.input.value,
      icon: by.icon.input.value.trim() || null,
      criteria: criteria.value(),
      counts_from: by.counts_from.input.value || null,
      revocable: by.revocable.input.checked,
      status: by.status.input.value,
    }),
  };
}

function ordinary(definition) {
  const input = (attributes) => element("input", { type: "text", autocomplete: "off", ...attributes });
  const inputs = {
    name: input({ required: true, maxlength: 500 }),
    key: input({ required: true, maxlength: 200, spellcheck: "false" }),
    description: element("textarea", { rows: 3, maxlength: 10_000 }),
    icon: input({ maxlength: 10_000, class: "short" }),
    counts_from: input({ type: "date", class: "short" }),
    revocable: input({ type: "checkbox" }),
    status: element("select", {}, ...STATUSES.map((each) => element("option", { value: each }, say(`state_${each}`)))),
  };
  return FIELDS.map((key) => {
    const each = inputs[key];
    if (key === "revocable") each.checked = definition?.revocable ?? false;
    else each.value = definition?.[key] ?? (key === "status" ? "draft" : "");
    const optional = ["description", "icon", "counts_from"].includes(key);
    const hint = ["key", "icon", "counts_from", "revocable", "status"].includes(key) ? say(`about_${key}`) : null;
    return { key, ...labelled(say(`field_${key}`), each, { hint, optional }) };
  });
}

function datalists(names) {
  const ids = {};
  const lists = Object.entries(names).map(([kind, each]) => {
    ids[kind] = `names-${kind}`;
    return element("datalist", { id: ids[kind] }, ...each.map((value) => element("option", { value })));
  });
  return { node: element("div", { hidden: true }, ...lists), ids };
}

/** A key made of a name: "Ti besøk på Åsen" as "ti-besok-pa-asen". */
function keyOf(name) {
  return name
    .toLowerCase()
    .replaceAll("ø", "o")
    .replaceAll("æ", "ae")
    .normalize("NFKD")
    .replace(/[\u0300-\u036f]/g, "")
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
}
