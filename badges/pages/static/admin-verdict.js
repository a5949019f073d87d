/** What the API says of criteria while somebody writes them. */

import { element, say } from "/assets/page.js";
import { tell } from "/assets/people-dialog.js";
import { api } from "/assets/people-session.js";

const PATIENCE_MS = 300;

/**
 * Judge what `criteria()` gives: `later()` when nobody types any more, `now()` at once, with a
 * promise of the errors. `told(errors)` is called with each verdict, `node` says it in a sentence.
 */
export function verdictOf(criteria, told) {
  const sentence = element("p", { id: "sentence", role: "status" });
  const warnings = element("div", { class: "stack" });
  const node = element("div", { class: "verdict stack" }, element("h2", {}, say("asks_for")), sentence, warnings);
  let timer = null;
  let newest = 0;
  let errors = [];

  function later() {
    clearTimeout(timer);
    timer = setTimeout(() => now().catch(failed), PATIENCE_MS);
  }

  async function now() {
    clearTimeout(timer);
    const mine = (newest += 1);
    const found = await api("/v1/criteria/validate", { method: "POST", json: criteria() });
    if (mine === newest) tellAll(found);
    return found.errors;
  }

  function failed(error) {
    tell(sentence, error);
  }

  function tellAll(found) {
    errors = found.errors;
    sentence.removeAttribute("lang");
    const text = found.summary ?? say("incomplete", { count: errors.length });
    // A live region says again what is written again.
    if (sentence.textContent !== text) sentence.textContent = text;
    sentence.classList.toggle("quiet", !found.valid);
    warnings.replaceChildren(...found.warnings.map((each) => element("p", { class: "notice" }, each)));
    told(errors);
  }

  return { node, later, now, errors: () => errors };
}
