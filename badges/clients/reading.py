"""Reads the JSON schema of criteria into the model that every language writes."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

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

_ROOT: Final = "Criteria"
_PART: Final = "CriteriaPart"
_VERSION: Final = "version"
_Schema: TypeAlias = Mapping[str, Any]
_ABOUT_ROOT: Final = "What a badge asks for."
_ABOUT_PART: Final = "Criteria that may stand within others."


class _Option(NamedTuple):
    """One way in which a value may be written, and the name of its definition, if it has one."""

    name: str | None
    schema: _Schema


def read(schema: _Schema) -> Model:
    """The model of a schema. Raises ValueError where it says something that no client could."""
    return _Reading(schema).model()


class _Reading:
    def __init__(self, schema: _Schema) -> None:
        self._schema = schema
        self._unions: dict[str, Union] = {}
        self._records: dict[str, Record] = {}
        self._choices: dict[str, Enumeration] = {}
        self._part_tags: set[str] = set()

    def model(self) -> Model:
        options = list(self._options(_Option(None, self._schema)))
        versions = {option.schema["properties"][_VERSION]["const"] for option in options}
        if len(versions) != 1:
            raise ValueError(f"a schema of criteria is of one version, found {sorted(versions)}")
        root = self._union(_ROOT, _ABOUT_ROOT, options)
        parts = (member for member in root.members if member.tag in self._part_tags)
        return Model(
            versions.pop(),
            root,
            Union(_PART, _ABOUT_PART, tuple(parts)),
            tuple(self._unions.values()),
            tuple(self._records.values()),
            tuple(self._choices.values()),
        )

    def _options(self, option: _Option) -> Iterator[_Option]:
        """Every way in which a value may be written but null, those within others included."""
        name, schema = option.name, option.schema
        if "$ref" in schema:
            name = schema["$ref"].rpartition("/")[2]
            beside = {key: value for key, value in schema.items() if key != "$ref"}
            yield from self._options(_Option(name, _merged(self._schema["$defs"][name], beside)))
        elif "allOf" in schema:
            whole: _Schema = {key: value for key, value in schema.items() if key != "allOf"}
            for each in schema["allOf"]:
                for found in self._options(_Option(name, each)):
                    name, whole = name or found.name, _merged(found.schema, whole)
            yield _Option(name, whole)
        elif "oneOf" in schema or "anyOf" in schema:
            for each in schema.get("oneOf", schema.get("anyOf")):
                yield from self._options(_Option(None, each))
        elif schema.get("type") != "null":
            yield option

    def _union(self, name: str, about: str, options: list[_Option]) -> Union:
        members = []
        for option in options:
            tag, schema = _tag(option.schema), option.schema
            if tag:
                called = f"{_pascal(tag)}{_ROOT}"
            else:
                called = f"{_called(option)}{name.removeprefix(_ROOT)}"
            members.append(self._record(called, schema))
        return Union(name, about, tuple(members))

    def _record(self, name: str, schema: _Schema) -> Record:
        tag = _tag(schema)
        needed = schema.get("required", ())
        fields = [
            Field(key, self._kind(name, key, value), key in needed, _about(value))
            for key, value in schema["properties"].items()
            if key != _VERSION and not (tag and key == TAG)
        ]
        return Record(name, schema.get("description", ""), tag, tuple(fields))

    def _kind(self, owner: str, key: str, schema: _Schema) -> Kind:
        """What may stand at a key of a record."""
        options = list(self._options(_Option(None, schema)))
        if all("properties" in option.schema for option in options):
            return self._named(owner, key, options, schema)
        if len(options) != 1:
            raise ValueError(
                f"{owner}.{key}: a client can have either objects or one kind of value"
            )
        return self._plain(owner, key, options[0].schema)

    def _plain(self, owner: str, key: str, schema: _Schema) -> Kind:
        match schema:
            case {"enum": values}:
                return self._choice(owner, key, tuple(values))
            case {"const": str() as value}:
                return self._choice(owner, key, (value,))
            case {"type": "array", "items": items}:
                return Listed(self._kind(owner, key, items), schema.get("minItems", 0))
            case {"type": "integer", "minimum": least}:
                return Integer(least, schema.get("maximum"))
            case {"type": "string"}:
                length = schema.get("minLength", 0), schema.get("maxLength")
                return String(*length, is_date=schema.get("format") == "date")
            case {"type": _}:
                raise ValueError(f"{owner}.{key}: no client is written for {dict(schema)}")
        return Anything()

    def _named(self, owner: str, key: str, options: list[_Option], schema: _Schema) -> Named:
        """Objects: others of the criteria, a union of their own, or one record."""
        tags = {_tag(option.schema) for option in options} - {""}
        if len(tags) == len(options):
            self._part_tags |= tags
            return Named(_PART)
        if len(options) > 1:
            name = f"{_ROOT}{_pascal(key)}"
            self._unions[name] = self._union(name, _about(schema), options)
            return Named(name)
        name = f"{owner.removesuffix(_ROOT)}{_called(options[0])}"
        self._records[name] = self._record(name, options[0].schema)
        return Named(name)

    def _choice(self, owner: str, key: str, values: tuple[str, ...]) -> Enumeration:
        choice = Enumeration(f"{_ROOT}{_pascal(key)}", values)
        if self._choices.setdefault(choice.name, choice) != choice:
            choice = Enumeration(f"{owner}{_pascal(key)}", values)
            self._choices[choice.name] = choice
        return choice


def _called(option: _Option) -> str:
    return str(option.name or option.schema["title"])


def _pascal(name: str) -> str:
    """A key as types are called: distinct_types as DistinctTypes."""
    return "".join(word[:1].upper() + word[1:] for word in re.split(r"[^A-Za-z0-9]+", name))


def _tag(schema: _Schema) -> str:
    """The word that a type of criteria is known by; empty for other objects."""
    return str(schema["properties"].get(TAG, {}).get("const", ""))


def _merged(one: _Schema, other: _Schema) -> _Schema:
    """What two schemas say together of one value."""
    properties = {**one.get("properties", {}), **other.get("properties", {})}
    required = [*one.get("required", ()), *other.get("required", ())]
    whole = {**one, **other}
    return {**whole, "properties": properties, "required": required} if properties else whole


def _about(schema: _Schema) -> str:
    """What belongs there, and what counts when it is absent."""
    sentences = [schema.get("description", "")]
    if schema.get("default") is not None:
        sentences.append(f"{schema['default']} unless given")
    return "; ".join(filter(None, sentences))
