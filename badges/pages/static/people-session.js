/**
 * Who has signed in. The token is pasted, kept for this tab alone, and sent in the header that it
 * belongs in; no address ever has it.
 */

import { ask, element, say } from "/assets/page.js";
import { dialog, told } from "/assets/people-dialog.js";

const KEY = "token";

let token = sessionStorage.getItem(KEY);
let me = null;
let renewing = null;

/** The caller as /v1/me tells: sub, role, organization_id and names. */
export function user() {
  return me;
}

/** Ask the API as who has signed in. A token that does not count any more is asked for anew. */
export async function api(path, options = {}) {
  try {
    return await ask(path, { ...options, token });
  } catch (error) {
    if (error.status !== 401) throw error;
    await renewed();
    return ask(path, { ...options, token });
  }
}

/** The headers of a request that `api` cannot make, such as one whose answer has no end. */
export function authorization() {
  return { Authorization: `Bearer ${token}` };
}

/** Ask for another token, in a dialog over what may not be saved yet; once for all who wait. */
export function renewed() {
  renewing ??= renew().finally(() => (renewing = null));
  return renewing;
}

async function renew() {
  const input = tokenInput();
  const before = me;
  await dialog({
    title: say("expired"),
    nodes: [element("p", {}, say("expired_todo")), tokenField(input)],
    yes: say("sign_in"),
    closable: false,
    act: () => entered(input.value),
  });
  if (["sub", "role", "organization_id"].every((key) => before?.[key] === me[key])) return;
  // Somebody else: the page begins anew, and what waits was not meant to be sent as them.
  token = null;
  location.reload();
  await new Promise(() => {});
}

/** Forget the token and all that it has shown. */
function signOut() {
  sessionStorage.removeItem(KEY);
  location.reload();
}

/** Wait until somebody has signed in: at once with this tab's token, else by the form in `place`. */
export async function signedIn(place) {
  if (token) {
    try {
      me = await ask("/v1/me", { token });
      return me;
    } catch (error) {
      if (error.status === undefined || error.status >= 500) return retried(place, error);
      sessionStorage.removeItem(KEY);
      return asked(place, error.status === 401 ? refusal(token) : told(error));
    }
  }
  return asked(place, "");
}

function retried(place, error) {
  return new Promise((resolve) => {
    const again = element("button", { click: () => resolve(signedIn(place)) }, say("again"));
    place.replaceChildren(heading(), element("p", { class: "notice", role: "alert" }, told(error)), again);
    again.focus();
  });
}

function heading() {
  return element("h1", { tabindex: "-1" }, say("sign_in"));
}

function tokenInput() {
  return element("input", {
    id: "token",
    type: "password",
    autocomplete: "off",
    spellcheck: "false",
    required: true,
    "aria-describedby": "token-hint token-error",
  });
}

function tokenField(input) {
  return element(
    "div",
    { class: "field" },
    element("label", { for: "token" }, say("token")),
    element("span", { class: "hint", id: "token-hint" }, say("token_hint")),
    input,
    element("p", { class: "error", id: "token-error", hidden: true }),
  );
}

function asked(place, problem) {
  return new Promise((resolve) => {
    const input = tokenInput();
    const field = tokenField(input);
    const submit = element("button", { type: "submit", class: "primary" }, say("sign_in"));
    const form = element("form", { novalidate: true, class: "stack narrow" }, field, submit);
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      try {
        resolve(await entered(input.value));
      } catch (error) {
        wrong(input, told(error));
      }
    });
    place.replaceChildren(
      heading(),
      element("p", {}, say("sign_in_why")),
      form,
      element("p", { class: "quiet" }, say("sign_in_local"), " ", element("code", {}, say("sign_in_command"))),
    );
    if (problem) wrong(input, problem);
    else input.focus();
  });
}

function wrong(input, text) {
  const error = document.querySelector("#token-error");
  error.textContent = text;
  error.hidden = false;
  input.setAttribute("aria-invalid", "true");
  input.focus();
}

/** Try a token, and keep it when the API takes it. Throws Problem with what is wrong. */
async function entered(text) {
  const pasted = text.trim().replace(/^Bearer\s+/i, "");
  // A header takes no other characters, and no token has them.
  if (!/^[\x21-\x7e]+$/.test(pasted)) throw problemOf(say(pasted ? "no_token" : "missing_token"));
  try {
    me = await ask("/v1/me", { token: pasted });
  } catch (error) {
    if (error.status === 401) throw problemOf(refusal(pasted));
    throw error;
  }
  token = pasted;
  sessionStorage.setItem(KEY, token);
  return me;
}

/** Why a token was refused, as far as it says that itself: what it claims is for the API to judge. */
function refusal(text) {
  try {
    const claims = JSON.parse(atob(text.split(".")[1].replaceAll("-", "+").replaceAll("_", "/")));
    if (claims.exp * 1000 < Date.now()) return say("expired_token");
  } catch {
    // It is no token at all.
  }
  return say("refused_token");
}

function problemOf(text) {
  return Object.assign(new Error(text), { errors: [] });
}

/** A line that says who has signed in, with a button that ends it. */
export function whoLine() {
  const who = me.display_name ?? me.sub;
  const where = me.organization_name ?? me.organization_id;
  return element(
    "p",
    { class: "who" },
    element("span", {}, say("signed_in_as", { who, role: say(`role_${me.role}`), where })),
    element("button", { type: "button", class: "small", click: signOut }, say("sign_out")),
  );
}
