"""What is wrong and what to do about it, for each kind of alert: remedies.json beside this file.

Pages, commands and alert rules take their words from here; docs/operating/alerts.md has the same
and more, under a heading for each kind.
"""

from collections.abc import Mapping
from importlib.resources import files
from types import MappingProxyType
from typing import Final

import msgspec
from msgspec import Struct

from sinks.alerts import AlertKind
from tables.languages import Text

PAGE: Final = "alerts.md"
"""The page of docs/operating/ that has a heading for each kind."""


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


def _load() -> Mapping[AlertKind, Remedy]:
    text = files("badges").joinpath("remedies.json").read_bytes()
    entries = msgspec.json.decode(text, type=dict[AlertKind, _Entry])
    return MappingProxyType(
        {
            kind: Remedy(Text(**entry.what), Text(**entry.todo), entry.command, f"{PAGE}#{kind}")
            for kind, entry in entries.items()
        }
    )


REMEDIES: Final = _load()
"""A remedy for every kind of alert, no more and no less."""
