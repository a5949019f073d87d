"""Writes TypeScript: a union that `type` tells apart, and functions that read and write it."""

from collections.abc import Iterator
from typing import Final

from badges.clients.layout import (
    WIDTH,
    bounds,
    bracketed,
    first_lines,
    fixed,
    quoted,
    records,
    sentence,
    wrapped,
)
from badges.clients.model import (
    TAG,
    Anything,
    Enumeration,
    Field,
    Integer,
    Kind,
    Listed,
    Model,
    Named,
    Record,
    String,
    Union,
)
from tables.languages import either_of

_DOCUMENT: Final = """
/** Criteria as they are kept: the version stands at their root alone. */
export type CriteriaDocument = Criteria & {
  readonly version: typeof criteriaVersion;
};

/** Reads a document that has been parsed. Throws a CriteriaError. */
export function criteriaFromJson(value: unknown): Criteria {
  const { version, ...criteria } = object(value, "$");
  if (version !== criteriaVersion) {
    throw expected(`${criteriaVersion}`, version, "$.version");
  }
  return readCriteria(criteria, "$");
}

/** The document of some criteria, to be written by JSON.stringify. */
export function criteriaToJson(criteria: Criteria): CriteriaDocument {
  return { version: criteriaVersion, ...criteria };
}
""".strip()


def write(model: Model, version: str) -> str:
    """One module without dependencies; `version` is that of badge-streams."""
    return "\n".join(_lines(model, version))


def _lines(model: Model, version: str) -> Iterator[str]:
    yield from first_lines(model, version, "typescript")
    yield "// It needs TypeScript 5.0 or newer, and no package."
    yield ""
    yield "/** The version of the documents that this module reads and writes. */"
    yield f"export const criteriaVersion = {model.version};"
    for choice in model.choices:
        yield from _choice(choice)
    for record in records(model):
        yield from _interface(record)
    for union in (*model.others, model.part, model.root):
        yield from _union(model, union)
    yield from ("", _DOCUMENT, "", fixed("fixed.ts"))
    for record in records(model):
        yield from _reader(record)
    for union in (*model.others, model.part, model.root):
        yield from _tagged(union) if union.tagged else _untagged(union)
    yield ""


def _choice(choice: Enumeration) -> Iterator[str]:
    yield ""
    start = f"export const {_values(choice)} = ["
    yield from bracketed(start, quoted(choice.values), "] as const;")
    yield f"export type {choice.name} = (typeof {_values(choice)})[number];"


def _interface(record: Record) -> Iterator[str]:
    yield ""
    yield from _comment(record.about)
    yield f"export interface {record.name} {{"
    if record.tag:
        yield f'  readonly {TAG}: "{record.tag}";'
    for field in record.fields:
        yield from _comment(field.about, 2)
        yield f"  readonly {field.key}{'' if field.needed else '?'}: {_type(field.kind)};"
    yield "}"


def _union(model: Model, union: Union) -> Iterator[str]:
    parts = model.part.members if union is model.root else ()
    names = [member.name for member in union.members if member not in parts]
    yield ""
    yield from _comment(union.about)
    yield from _alternatives(union.name, [*([model.part.name] if parts else []), *names])


def _alternatives(name: str, members: list[str]) -> Iterator[str]:
    line = f"export type {name} = {' | '.join(members)};"
    if len(line) <= WIDTH:
        yield line
        return
    *most, last = members
    yield f"export type {name} ="
    yield from (f"  | {member}" for member in most)
    yield f"  | {last};"


def _opening(name: str) -> Iterator[str]:
    """The first lines of the function that reads a type."""
    yield ""
    parameters = ["value: unknown", "path: string"]
    yield from bracketed(f"function read{name}(", parameters, f"): {name} {{")


def _reader(record: Record) -> Iterator[str]:
    yield from _opening(record.name)
    yield from bracketed("const fields = new Fields(value, path, [", quoted(record.keys), "]);", 2)
    yield "  return {"
    if record.tag:
        yield f'    {TAG}: "{record.tag}",'
    for field in record.fields:
        yield f"    {_read(field)},"
    yield "  };"
    yield "}"


def _read(field: Field) -> str:
    arguments = f'("{field.key}", {_reading(field.kind)})'
    if field.needed:
        return f"{field.key}: fields.needed{arguments}"
    return f"...fields.optional{arguments}"


def _tagged(union: Union) -> Iterator[str]:
    yield from _opening(union.name)
    yield f"  const {{ {TAG} }} = object(value, path);"
    yield f"  switch ({TAG}) {{"
    for member in union.members:
        yield f'    case "{member.tag}":'
        yield f"      return read{member.name}(value, path);"
    yield "    default:"
    what = either_of(quoted(member.tag for member in union.members), "en")
    yield from bracketed("throw expected(", [f"'{what}'", TAG, f"`${{path}}.{TAG}`"], ");", 6)
    yield "  }"
    yield "}"


def _untagged(union: Union) -> Iterator[str]:
    yield from _opening(union.name)
    yield "  const keys = Object.keys(object(value, path));"
    for member in union.members:
        found = " || ".join(f'keys.includes("{key}")' for key in member.keys)
        yield f"  if ({found}) {{"
        yield f"    return read{member.name}(value, path);"
        yield "  }"
    keys = either_of((" and ".join(member.keys) for member in union.members), "en")
    yield from bracketed("throw expected(", [f'"an object with {keys}"', "value", "path"], ");", 2)
    yield "}"


def _type(kind: Kind) -> str:
    match kind:
        case String():
            return "string"
        case Integer():
            return "number"
        case Anything():
            return "unknown"
        case Enumeration(name) | Named(name):
            return name
        case Listed(item):
            return f"readonly {_type(item)}[]"


def _reading(kind: Kind) -> str:  # noqa: PLR0911 - one for each kind
    """What reads a value of that kind."""
    match kind:
        case String(is_date=True):
            return "date"
        case String(least, most):
            return f"text({bounds(least, most)})"
        case Integer(least, most):
            return f"integer({bounds(least, most)})"
        case Anything():
            return "anything"
        case Enumeration():
            return f"choice({_values(kind)})"
        case Named(name):
            return f"read{name}"
        case Listed(item, least):
            return f"list({_reading(item)}, {least})"


def _values(choice: Enumeration) -> str:
    return f"{choice.name[:1].lower()}{choice.name[1:]}s"


def _comment(text: str, indent: int = 0) -> list[str]:
    if not text:
        return []
    lines = wrapped(f"/** {sentence(text)} */", "", indent)
    if len(lines) == 1:
        return lines
    margin = " " * indent
    return [f"{margin}/**", *wrapped(sentence(text), " * ", indent), f"{margin} */"]
