"""What is wrong and what to do about it, for each kind of alert: remedies.json beside this file.

Pages, commands and alert rules take their words from here; docs/operating/alerts.md has the same
and more, under a heading for each kind.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final, Literal, TypeAlias, cast

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from sinks.alerts import AlertKind
from tables.languages import Text

PAGE: Final = "alerts.md"
"""The page of docs/operating/ that has a heading for each kind."""


_Unknown: TypeAlias = Literal["unknown"]
_UNKNOWN: Final[_Unknown] = "unknown"
"""Under which remedies.json has the words for every kind that this version does not know."""
_HEADING: Final = "a-kind-that-is-not-here"


class _Entry(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind in remedies.json."""

    what: dict[str, str]
    todo: dict[str, str]
    command: str | None


class Remedy(Struct, frozen=True):
    """One or two plain sentences each, in both languages, without markup."""

    what: Text
    """What is wrong, and what that stops."""
    todo: Text
    """What a person does about it."""
    command: str | None
    """What to type for it, or to see more; None where no command of ours helps."""
    page: str
    """Where there is more: a page of docs/operating/ and its heading."""


def _remedy(entry: _Entry, heading: str) -> Remedy:
    return Remedy(Text(**entry.what), Text(**entry.todo), entry.command, f"{PAGE}#{heading}")


def _load() -> tuple[Mapping[AlertKind, Remedy], Remedy]:
    text = files("badges").joinpath("remedies.json").read_bytes()
    entries = msgspec.json.decode(text, type=dict[AlertKind | _Unknown, _Entry])
    known = {kind: _remedy(entry, kind) for kind, entry in entries.items() if kind != _UNKNOWN}
    return MappingProxyType(known), _remedy(entries[_UNKNOWN], _HEADING)


REMEDIES, _OF_ANY_OTHER = _load()
"""A remedy for every kind of alert, no more and no less."""


def remedy_of(kind: str) -> Remedy:
    """What to say of a kind as badge_alerts has it: a newer or an older version's has words too."""
    known = REMEDIES.get(cast("AlertKind", kind))
    return known or replace(_OF_ANY_OTHER, what=_OF_ANY_OTHER.what.filled(kind=kind))
