/** The form of a badge definition: judged while somebody types, tried before it is saved. */

import { element, say } from "/assets/page.js";
import { conflict } from "/assets/admin-conflict.js";
import { FIELDS, definitionFields } from "/assets/admin-fields.js";
import { previewSection } from "/assets/admin-preview.js";
import { verdictOf } from "/assets/admin-verdict.js";
import { tie, worded } from "/assets/forms.js";
import { dialog } from "/assets/people-dialog.js";
import { api } from "/assets/people-session.js";

/**
 * The form of a definition, or of a new one without it, which becomes the form of what was saved.
 * `saved(definition)` is called with what was. Returns `node` and `unsaved()`.
 */
export async function definitionForm(definition, saved) {
  let base = definition;
  let attempt = { body: "", key: "" };
  const summary = element("div", { class: "summary", tabindex: "-1", hidden: true });
  const status = element("p", { role: "status", class: "saved" });
  const touched = new Set();
  let asked = false;
  // One request at a time changes the badge: another would make a second one, or disagree with the first.
  let busy = false;

  const fields = await definitionFields(base, () => {
    status.textContent = "";
    verdict.later();
  });
  let written = JSON.stringify(fields.value());
  const unsaved = () => JSON.stringify(fields.value()) !== written;
  const verdict = verdictOf(() => fields.value().criteria, mark);
  const preview = previewSection(() => ({ ...fields.value(), definition_id: base?.id }), refused);

  /** Tell at the fields what is wrong: at those that somebody was in, and at all once asked for. */
  function mark(errors) {
    return tie(errors, fields.criteria(), (input) => asked || touched.has(input));
  }

  const node = element("form", { novalidate: true, class: "stack form" });
  // What is told while a button is pressed would move it away from under the pointer.
  let pressed = false;
  node.addEventListener("pointerdown", () => (pressed = true));
  node.addEventListener("pointerup", () => {
    pressed = false;
    setTimeout(() => mark(verdict.errors()));
  });
  node.addEventListener("focusout", ({ target }) => {
    touched.add(target);
    if (!pressed) mark(verdict.errors());
  });
  node.addEventListener("submit", (event) => {
    event.preventDefault();
    if (event.submitter?.value === "preview") tryOut();
    else alone(save);
  });

  async function judged() {
    asked = true;
    const wrong = [...fields.missing(), ...mark(await verdict.now())];
    summarize(wrong);
    return wrong.length === 0;
  }

  async function tryOut() {
    try {
      if (await judged()) await preview.show();
    } catch (error) {
      refused(error);
    }
  }

  /** Do what changes the badge, unless something does already: then that is said. */
  async function alone(act) {
    if (busy) {
      status.textContent = say("busy");
      return;
    }
    busy = true;
    status.textContent = "";
    try {
      await act();
    } catch (error) {
      refused(error);
    } finally {
      busy = false;
      if (status.textContent === say("busy")) status.textContent = "";
    }
  }

  async function save(version = base?.version) {
    try {
      if (await judged()) await send(version);
    } catch (error) {
      if (error.status !== 412) throw error;
      await disagreed();
    }
  }

  async function send(version) {
    const json = fields.value();
    const sent = JSON.stringify(json);
    const headers = base ? { "If-Match": `"${version}"` } : { "Idempotency-Key": keyFor(sent) };
    const [path, method] = base ? [`/v1/badge-definitions/${base.id}`, "PUT"] : ["/v1/badge-definitions", "POST"];
    const now = await api(path, { method, json, headers });
    if (!base) fields.settleKey(json.key);
    summarize([]);
    kept(now, sent, "saved");
  }

  /** The same request has the same key, so that it makes one badge however often it is sent. */
  function keyFor(body) {
    if (attempt.body !== body) {
      const bytes = crypto.getRandomValues(new Uint8Array(16));
      attempt = { body, key: Array.from(bytes, (each) => each.toString(16)).join("-") };
    }
    return attempt.key;
  }

  /** Go on from what is there now, of which the form had `sent`; what was written since is not in it. */
  function kept(now, sent, word) {
    base = now;
    retireButton.hidden = base.status === "retired";
    written = sent;
    const done = say(word, { version: now.version });
    status.textContent = unsaved() ? `${done} ${say("unsaved")}` : done;
    saved(now);
  }

  /** What the API finds wrong is told as what the page finds. */
  function refused(error) {
    if (!error.status) return summarize([[{ message: say("unreachable") }, undefined]]);
    const { errors, message, body } = error;
    if (body.within === "criteria") return summarize(mark(errors));
    if (body.badge_definition_id) return summarize([[{ message, english: true }, fields.field("key")]]);
    const all = errors.length ? errors : [{ message, english: true }];
    summarize(all.map((each) => [each, fields.field(each.path?.split(".").pop())]));
  }

  async function disagreed() {
    const theirs = await api(`/v1/badge-definitions/${base.id}`, { exact: true });
    const choice = await conflict(fields.value(), theirs, FIELDS);
    if (choice === "mine") await save(theirs.version);
    if (choice !== "theirs") return;
    written = JSON.stringify(fields.value());
    history.replaceState(null, "", `#/badge/${base.id}`);
    location.reload();
  }

  /** The list of all that is wrong, each a link to its field; it takes the focus. */
  function summarize(wrong) {
    summary.hidden = wrong.length === 0;
    if (!wrong.length) return;
    const items = wrong.map(([error, field]) => element("li", {}, entry(error, field)));
    const heading = element("h2", {}, say("wrong", { count: wrong.length }));
    summary.replaceChildren(heading, element("ul", {}, ...items));
    summary.focus();
  }

  function entry(error, field) {
    const language = error.english ? { lang: "en" } : {};
    if (!field) return element("span", language, worded(error));
    const go = (event) => {
      event.preventDefault();
      field.input.focus();
    };
    const text = element("span", language, worded(error));
    return element("a", { href: `#${field.input.id}`, click: go }, `${field.name}: `, text);
  }

  async function retire() {
    const now = await dialog({
      title: say("retire_title", { name: base.name }),
      nodes: [element("p", {}, say("retire_why"))],
      yes: say("retire"),
      act: () =>
        api(`/v1/badge-definitions/${base.id}`, {
          method: "DELETE",
          headers: { "If-Match": `"${base.version}"` },
        }),
    });
    if (!now) return;
    fields.setStatus(now.status);
    // Nothing else of what is written here was sent.
    kept(now, JSON.stringify({ ...JSON.parse(written), status: now.status }), "retired");
  }

  const retireButton = element("button", { type: "button", click: () => alone(retire) }, say("retire"));
  retireButton.hidden = !base || base.status === "retired";
  node.append(
    summary,
    ...fields.nodes,
    verdict.node,
    element(
      "div",
      { class: "buttons" },
      element("button", { type: "submit", value: "preview" }, say("preview")),
      element("button", { type: "submit", value: "save", class: "primary" }, say("save")),
      retireButton,
    ),
    status,
    preview.node,
  );
  verdict.later();
  return { node, unsaved };
}
