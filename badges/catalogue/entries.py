"""The catalogue: badges as data, in catalogue.json beside this file, each with examples."""

from collections.abc import Sequence
from datetime import date
from functools import cache
from importlib.resources import files
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from tables.criteria.base import Criterion
from tables.criteria.parsing import parse
from tables.languages import Language

_Words: TypeAlias = dict[Language, str]
"""The same in every language."""


class Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """A badge of the catalogue; `only_for` is the slug of the one organization that it is for.

    `examples` are trials but for their badges.
    """

    key: str
    name: _Words
    description: _Words
    icon: str
    criteria: dict[str, Any]
    examples: list[dict[str, Any]]
    only_for: str | None = None
    revocable: bool = False
    counts_from: date | None = None

    def parsed(self) -> Criterion:
        """Its criteria. Raises InvalidCriteria, as wherever criteria come in."""
        return parse(msgspec.json.encode(self.criteria))

    def trials(self) -> list[dict[str, Any]]:
        """Its examples as `badges criteria test` reads them."""
        badge = {"key": self.key, "criteria": self.criteria, "revocable": self.revocable}
        if self.counts_from is not None:
            badge["counts_from"] = str(self.counts_from)
        return [
            {**example, "name": f"{self.key}: {example['name']}", "badges": [badge]}
            for example in self.examples
        ]


class _Catalogue(Struct, frozen=True, forbid_unknown_fields=True):
    """All of it. `notice` says what it is, and `organizations` names those it is for, by slug."""

    notice: _Words
    organizations: dict[str, str]
    badges: list[Entry]

    def of(self, slug: str | None) -> Sequence[Entry]:
        """The badges for an organization; None: for every one."""
        return [each for each in self.badges if each.only_for in {None, slug}]


@cache
def load() -> _Catalogue:
    text = files("badges.catalogue").joinpath("catalogue.json").read_bytes()
    return msgspec.json.decode(text, type=_Catalogue)
