"""Writes Dart: a sealed class, and a final class for each type of criteria."""

import re
from collections.abc import Iterator
from typing import Final

from badges.clients.layout import (
    bounds,
    bracketed,
    first_lines,
    fixed,
    quoted,
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

_RESERVED: Final = re.compile(
    "assert|break|case|catch|class|const|continue|default|do|else|enum|extends|false|final|finally"
    "|for|if|in|is|new|null|rethrow|return|super|switch|this|throw|true|try|var|void|while|with"
    "|hashCode|index|json|runtimeType|toJson|toString|type|values"
)
"""What no field and no word of an enum can be called."""

_ROOT: Final = """
  const Criteria();

  /// Reads a document that has been decoded.
  ///
  /// Throws a [FormatException] that says where in it, what was expected and
  /// what was found.
  factory Criteria.fromJson(Map<String, dynamic> json) {
    final criteria = Map<String, dynamic>.of(json);
    final Object? version = criteria.remove('version');
    if (version != criteriaVersion) {
      throw _expected('$criteriaVersion', version, r'$.version');
    }
    return _read(criteria, r'$');
  }
""".strip("\n")

_ROOT_TO_JSON: Final = """
  /// What documents call this type of criteria.
  String get type;

  /// The document of these criteria; the version stands at its root alone.
  Map<String, dynamic> toJson() => {'version': criteriaVersion, ..._part()};

  Map<String, dynamic> _part();
""".strip("\n")


def write(model: Model, version: str) -> str:
    """One library without dependencies, for Dart 3; `version` is that of badge-streams."""
    return "\n".join(_lines(model, version))


def _lines(model: Model, version: str) -> Iterator[str]:
    yield from first_lines(model, version, "dart")
    yield "// It needs Dart 3.0 or newer, and no package."
    yield from ("//", "// dart format off", "// ignore_for_file: type=lint", "")
    yield "/// The version of the documents that these classes read and write."
    yield f"const int criteriaVersion = {model.version};"
    for choice in model.choices:
        yield from _enum(choice)
    yield from _root(model)
    for member in model.root.members:
        parent = model.part if member in model.part.members else model.root
        yield from _class(member, f" extends {parent.name}", _criteria(member))
    for union in model.others:
        yield from _sealed(union)
        for member in union.members:
            yield from _class(member, f" extends {union.name}", _to_json(member))
    for record in model.records:
        own = [*_to_json(record, overrides=False), "", *_equality(record.name)]
        yield from _class(record, "", own, _from_json(record.name))
    yield from ("", fixed("fixed.dart"), "")


def _enum(choice: Enumeration) -> Iterator[str]:
    *most, last = [f"{_camel(value)}('{value}')" for value in choice.values]
    yield ""
    yield f"enum {choice.name} implements _Word {{"
    yield from (f"  {each}," for each in most)
    yield f"  {last};"
    yield ""
    yield f"  const {choice.name}(this.json);"
    yield ""
    yield "  /// What documents call it."
    yield "  @override"
    yield "  final String json;"
    yield "}"


def _root(model: Model) -> Iterator[str]:
    """The sealed class of all criteria, and the one of those that may be parts."""
    yield ""
    yield from _comment(model.root.about)
    yield f"sealed class {model.root.name} {{"
    yield _ROOT
    yield ""
    yield from _reader_of_tagged(model.root)
    yield ""
    yield _ROOT_TO_JSON
    yield ""
    yield from _equality(model.root.name)
    yield "}"
    yield ""
    yield from _comment(model.part.about)
    yield f"sealed class {model.part.name} extends {model.root.name} {{"
    yield f"  const {model.part.name}();"
    yield ""
    yield from _reader_of_tagged(model.part)
    yield "}"


def _sealed(union: Union) -> Iterator[str]:
    """The sealed class of a union that is no criteria."""
    yield ""
    yield from _comment(union.about)
    yield f"sealed class {union.name} {{"
    yield f"  const {union.name}();"
    yield ""
    yield from _from_json(union.name)
    yield ""
    yield f"  static {union.name} _read(Object? value, String path) => switch (value) {{"
    for member in union.members:
        keys = " || ".join(f"{{'{key}': _}}" for key in member.keys)
        yield f"    {keys} => {member.name}._read(value, path),"
    keys = either_of((" and ".join(member.keys) for member in union.members), "en")
    arguments = [f"'an object with {keys}'", "value", "path"]
    yield from bracketed("_ => throw _expected(", arguments, "),", 4)
    yield "  };"
    yield ""
    yield "  Map<String, dynamic> toJson();"
    yield ""
    yield from _equality(union.name)
    yield "}"


def _reader_of_tagged(union: Union) -> Iterator[str]:
    yield f"  static {union.name} _read(Object? value, String path) =>"
    yield f"      switch (_object(value, path)['{TAG}']) {{"
    for member in union.members:
        yield f"        '{member.tag}' => {member.name}._read(value, path),"
    what = either_of(quoted(member.tag for member in union.members), "en")
    arguments = [f"'{what}'", "found", f"'$path.{TAG}'"]
    yield from bracketed("final found => throw _expected(", arguments, "),", 8)
    yield "      };"


def _class(
    record: Record, parent: str, own: list[str], constructors: list[str] | None = None
) -> Iterator[str]:
    """A final class: constructors, fields, and what it has of its own."""
    yield ""
    yield from _comment(record.about)
    yield f"final class {record.name}{parent} {{"
    parameters = [
        f"{'required ' if field.needed else ''}this.{_camel(field.key)}" for field in record.fields
    ]
    yield from bracketed(f"const {record.name}({{", parameters, "});", 2)
    yield ""
    if constructors:
        yield from (*constructors, "")
    yield f"  factory {record.name}._read(Object? value, String path) {{"
    known = quoted(record.keys, "'")
    yield from bracketed("final fields = _Fields(value, path, const {", known, "});", 4)
    yield f"    return {record.name}("
    for field in record.fields:
        how = "needed" if field.needed else "optional"
        read = f"fields.{how}('{field.key}', {_reading(field.kind)})"
        yield f"      {_camel(field.key)}: {read},"
    yield "    );"
    yield "  }"
    yield ""
    for field in record.fields:
        yield from _comment(field.about, 2)
        optional = "" if field.needed or isinstance(field.kind, Anything) else "?"
        yield f"  final {_type(field.kind)}{optional} {_camel(field.key)};"
        yield ""
    yield from own
    yield "}"


def _criteria(record: Record) -> list[str]:
    """What a type of criteria has of its own."""
    return [
        "  @override",
        f"  String get {TAG} => '{record.tag}';",
        "",
        "  @override",
        "  Map<String, dynamic> _part() => {",
        f"    '{TAG}': {TAG},",
        *(f"    {_entry(field)}," for field in record.fields),
        "  };",
    ]


def _to_json(record: Record, *, overrides: bool = True) -> list[str]:
    return [
        *(["  @override"] if overrides else []),
        "  Map<String, dynamic> toJson() => {",
        *(f"    {_entry(field)}," for field in record.fields),
        "  };",
    ]


def _from_json(name: str) -> list[str]:
    return [
        "  /// Throws a [FormatException].",
        f"  factory {name}.fromJson(Map<String, dynamic> json) =>",
        f"      {name}._read(json, r'$');",
    ]


def _equality(name: str) -> Iterator[str]:
    yield "  @override"
    yield "  bool operator ==(Object other) =>"
    yield f"      other is {name} && _same(toJson(), other.toJson());"
    yield ""
    yield "  @override"
    yield "  int get hashCode => _hash(toJson());"
    yield ""
    yield "  @override"
    yield f"  String toString() => '{name}${{toJson()}}';"


def _entry(field: Field) -> str:
    """A field as an entry of its object's JSON."""
    name = _camel(field.key)
    if field.needed:
        return f"'{field.key}': {_written(field.kind, name)}"
    return f"if ({name} case final given?) '{field.key}': {_written(field.kind, 'given')}"


def _written(kind: Kind, value: str) -> str:
    match kind:
        case Enumeration():
            return f"{value}.json"
        case Named(name):
            return f"{value}.{'_part' if name.endswith('Part') else 'toJson'}()"
        case Listed(Named() as item):
            return f"[for (final each in {value}) {_written(item, 'each')}]"
        case _:
            return value


def _type(kind: Kind) -> str:
    match kind:
        case String():
            return "String"
        case Integer():
            return "int"
        case Anything():
            return "Object?"
        case Enumeration(name) | Named(name):
            return name
        case Listed(item):
            return f"List<{_type(item)}>"


def _reading(kind: Kind) -> str:  # noqa: PLR0911 - one for each kind
    """What reads a value of that kind."""
    match kind:
        case String(is_date=True):
            return "_date"
        case String(least, most):
            return f"_text({bounds(least, most)})"
        case Integer(least, most):
            return f"_integer({bounds(least, most)})"
        case Anything():
            return "_anything"
        case Enumeration(name):
            return f"_choice({name}.values)"
        case Named(name):
            return f"{name}._read"
        case Listed(item, least):
            return f"_list({_reading(item)}, {least})"


def _camel(key: str) -> str:
    """A key as Dart names it: distinct_types as distinctTypes."""
    first, *others = re.split(r"[^A-Za-z0-9]+", key)
    name = first + "".join(word.capitalize() for word in others)
    return f"{name}_" if _RESERVED.fullmatch(name) else name


def _comment(text: str, indent: int = 0) -> list[str]:
    return wrapped(sentence(text), "/// ", indent)
