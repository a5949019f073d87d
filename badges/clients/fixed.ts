/** A document that is no criteria, with where in it and what was expected. */
export class CriteriaError extends Error {
  /** Such as $.of[1].at_least. */
  readonly path: string;

  constructor(path: string, problem: string) {
    super(`${path}: ${problem}`);
    this.name = "CriteriaError";
    this.path = path;
  }
}

type Read<T> = (value: unknown, path: string) => T;

function expected(what: string, found: unknown, path: string): CriteriaError {
  return new CriteriaError(path, `expected ${what}, found ${shown(found)}`);
}

function shown(value: unknown): string {
  if (value === undefined) {
    return "nothing";
  }
  const text = JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

function object(value: unknown, path: string): { [key: string]: unknown } {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw expected("an object", value, path);
  }
  return { ...value };
}

/** The keys of one object. */
class Fields {
  readonly #values: { [key: string]: unknown };
  readonly #path: string;

  constructor(value: unknown, path: string, known: readonly string[]) {
    this.#values = object(value, path);
    this.#path = path;
    for (const key of Object.keys(this.#values)) {
      if (!known.includes(key)) {
        const problem = `no such key, only ${known.join(", ")}`;
        throw new CriteriaError(`${path}.${key}`, problem);
      }
    }
  }

  needed<T>(key: string, read: Read<T>): T {
    const value = this.#values[key];
    const path = `${this.#path}.${key}`;
    if (value === undefined) {
      throw expected("a value", value, path);
    }
    return read(value, path);
  }

  optional<K extends string, T>(
    key: K,
    read: Read<T>,
  ): { readonly [key in K]?: T } {
    const value = this.#values[key];
    const found: { [key in K]?: T } = {};
    if (value !== undefined && value !== null) {
      found[key] = read(value, `${this.#path}.${key}`);
    }
    return found;
  }
}

function integer(least: number, most = Number.MAX_SAFE_INTEGER): Read<number> {
  return (value, path) => {
    if (
      typeof value !== "number" ||
      !Number.isInteger(value) ||
      value < least ||
      value > most
    ) {
      throw expected(`an integer from ${least} to ${most}`, value, path);
    }
    return value;
  };
}

/** Lengths are counted in code points, as the service does. */
function text(least: number, most = Number.MAX_SAFE_INTEGER): Read<string> {
  return (value, path) => {
    if (typeof value !== "string") {
      throw expected("a text", value, path);
    }
    const length = [...value].length;
    if (length < least || length > most) {
      const what = `a text of ${least} to ${most} characters`;
      throw expected(what, value, path);
    }
    return value;
  };
}

function date(value: unknown, path: string): string {
  if (typeof value === "string" && /^[0-9]{4}-[0-9]{2}-[0-9]{2}$/.test(value)) {
    // A day that a month does not have would become one of the next month.
    const at = new Date(`${value}T00:00:00Z`);
    if (!Number.isNaN(at.valueOf()) && at.toISOString().startsWith(value)) {
      return value;
    }
  }
  throw expected("a date like 2026-01-31", value, path);
}

function choice<T extends string>(choices: readonly T[]): Read<T> {
  return (value, path) => {
    const found = choices.find((each) => each === value);
    if (found === undefined) {
      const what = choices.map((each) => JSON.stringify(each)).join(" or ");
      throw expected(what, value, path);
    }
    return found;
  };
}

function list<T>(read: Read<T>, least: number): Read<readonly T[]> {
  return (value, path) => {
    if (!Array.isArray(value) || value.length < least) {
      throw expected(`a list of ${least} or more`, value, path);
    }
    return value.map((item, index) => read(item, `${path}[${index}]`));
  };
}

function anything(value: unknown): unknown {
  return value;
}
