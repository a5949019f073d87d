/** Questions that are to be answered before anything else, in a modal <dialog>. */

import { element, freshId, say } from "/assets/page.js";

/**
 * Show a dialog and wait for its end: what `act` returned, or undefined when it was closed.
 * `act` is called by the button `yes` (or Enter in a field); what it throws is told in the dialog,
 * which then stays. Focus goes back to where it was by itself.
 */
export function dialog({ title, nodes = [], yes, no = say("cancel"), act, closable = true }) {
  const id = freshId("dialog");
  const problem = element("p", { class: "error", role: "alert", hidden: true });
  const submit = element("button", { type: "submit", class: "primary" }, yes);
  const close = closable && element("button", { type: "button", click: () => box.close() }, no);
  const buttons = element("div", { class: "buttons" }, submit, close || null);
  const form = element("form", { novalidate: true, class: "stack" }, ...nodes, problem, buttons);
  const heading = element("h2", { id, tabindex: "-1" }, title);
  const box = element("dialog", { "aria-labelledby": id }, heading, form);
  document.body.append(box);
  box.addEventListener("cancel", (event) => closable || event.preventDefault());

  return new Promise((resolve) => {
    let answer;
    box.addEventListener("close", () => {
      box.remove();
      resolve(answer);
    });
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      submit.disabled = true;
      try {
        answer = await act();
        box.close();
      } catch (error) {
        problem.hidden = false;
        tell(problem, error);
      } finally {
        submit.disabled = false;
      }
    });
    box.showModal();
    (form.querySelector("input, textarea, select") ?? heading).focus();
  });
}

/** What went wrong, in words: the API's, or that nobody answered. */
export function told(error) {
  if (error.errors) return [error.message, ...error.errors.map((each) => each.message)].join(" ");
  if (error instanceof TypeError || error instanceof DOMException) return say("unreachable");
  throw error;
}

/** Write into an element what went wrong; without `errors` the API says it in English. */
export function tell(place, error) {
  place.textContent = told(error);
  if (error.status && !error.errors?.length) place.lang = "en";
  else place.removeAttribute("lang");
}

/** A paragraph of a page that says what went wrong. */
export function wrong(error) {
  const text = element("p", { class: "notice", role: "alert" });
  tell(text, error);
  return text;
}
