/** What to do where somebody else has saved the badge in the meantime. */

import { element, moment, say } from "/assets/page.js";
import { writeExactly } from "/assets/page-json.js";
import { dialog } from "/assets/people-dialog.js";
import { row, table } from "/assets/people-lists.js";

/** Show what is different, and ask which to keep: "mine", "theirs", or undefined to go on writing. */
export async function conflict(mine, theirs, fields) {
  const differing = [...fields, "criteria"].filter((key) => !same(mine[key], theirs[key]));
  const rows = differing.map((key) => row(say(`field_${key}`), shown(mine[key]), shown(theirs[key])));
  const headings = ["heading_field", "heading_yours", "heading_theirs"].map((each) => say(each));
  const choices = ["theirs", "mine"].map((each) => {
    const input = element("input", { type: "radio", name: "keep", value: each, id: `keep-${each}` });
    input.checked = each === "theirs";
    return element("div", { class: "field tick" }, input, element("label", { for: input.id }, say(`keep_${each}`)));
  });
  const question = element("fieldset", {}, element("legend", {}, say("keep")), ...choices);
  const who = { version: theirs.version, who: theirs.saved_by ?? say("somebody"), when: moment(theirs.saved_at) };
  return dialog({
    title: say("conflict"),
    nodes: [
      element("p", {}, say("conflict_why", who)),
      rows.length ? table(say("differences"), headings, rows, { captioned: true }).node : element("p", {}, say("no_difference")),
      question,
    ],
    yes: say("go_on"),
    act: async () => question.querySelector(":checked").value,
  });
}

function same(one, other) {
  return ordered(one) === ordered(other);
}

/** JSON with keys in order, and without what counts as absent. */
function ordered(value) {
  return JSON.stringify(value ?? null, (_, each) =>
    each && typeof each === "object" && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).filter(([, it]) => it !== null).sort())
      : each,
  );
}

function shown(value) {
  if (value === null || value === undefined || value === "") return say("none");
  if (typeof value === "boolean") return say(value ? "yes" : "no");
  return typeof value === "string" ? value : element("code", {}, writeExactly(value));
}
