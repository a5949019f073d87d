"""What a client has to know of criteria, whatever its language: records, unions and choices."""

from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class String:
    """A string; lengths in code points. A date is written like 2026-01-31."""

    least: int = 0
    most: int | None = None
    is_date: bool = False


@dataclass(frozen=True)
class Integer:
    """A whole number within bounds, both inclusive."""

    least: int
    most: int | None = None


@dataclass(frozen=True)
class Anything:
    """Any JSON value, null included."""


@dataclass(frozen=True)
class Enumeration:
    """One of some words."""

    name: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class Listed:
    """A list of so many or more."""

    item: "Kind"
    least: int = 0


@dataclass(frozen=True)
class Named:
    """A record or a union, by its name."""

    name: str


Kind: TypeAlias = String | Integer | Anything | Enumeration | Listed | Named


@dataclass(frozen=True)
class Field:
    """A key of a record. `about` says what belongs there, for people."""

    key: str
    kind: Kind
    needed: bool
    about: str


@dataclass(frozen=True)
class Record:
    """An object. `tag` is the word that its union knows it by, empty if it needs none."""

    name: str
    about: str
    tag: str
    fields: tuple[Field, ...]

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that it may have."""
        tag = (TAG,) if self.tag else ()
        return (*tag, *(field.key for field in self.fields))


@dataclass(frozen=True)
class Union:
    """One of some records. Those with tags are told apart by them, others by the keys they have."""

    name: str
    about: str
    members: tuple[Record, ...]

    @property
    def tagged(self) -> bool:
        return all(member.tag for member in self.members)


TAG = "type"
"""The key that holds a record's tag."""


@dataclass(frozen=True)
class Model:
    """Everything that a client consists of.

    `root` is the union of what a document may be, and `part` of what may stand within others.
    `others` are the unions that are no criteria, and `records` the records that are in no union.
    """

    version: int
    root: Union
    part: Union
    others: tuple[Union, ...]
    records: tuple[Record, ...]
    choices: tuple[Enumeration, ...]
