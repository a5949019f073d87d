/**
 * JSON whose numbers keep every digit. One that a JavaScript number would change is a text here: the
 * mark, which no text of the API has (NUL is refused there), and behind it the number as it was written.
 */

const MARK = "\u0000number:";
const TOKENS = /"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*/g;
const MARKED = /"(?:[^"\\]|\\.)*"/g;
const WRITTEN = JSON.stringify(MARK).slice(0, -1);

/** The value of a JSON text. Throws SyntaxError for what is none. */
export function readExactly(text) {
  const value = JSON.parse(text);
  let changes = false;
  const marked = text.replace(TOKENS, (token) => {
    if (token.startsWith('"') || String(Number(token)) === token) return token;
    changes = true;
    return `${WRITTEN}${token}"`;
  });
  return changes ? JSON.parse(marked) : value;
}

/** The JSON of a value that may have such numbers in it. */
export function writeExactly(value, indent) {
  return JSON.stringify(value, null, indent).replace(MARKED, (token) =>
    token.startsWith(WRITTEN) ? token.slice(WRITTEN.length, -1) : token,
  );
}

/** A value for people: a number that is marked as it was written. */
export function unmarked(value) {
  return typeof value === "string" && value.startsWith(MARK) ? value.slice(MARK.length) : value;
}
