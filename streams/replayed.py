"""What a replay finds, in words: what is to be done, and what is left as it is."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct

from tables.decisions import Decision, Kind
from tables.periods import as_date
from tables.types import Award, Day, Stats

ItemKind: TypeAlias = Literal[Kind, "stats"]

_SAID = ("id", "tier", "revoked_by", "awarded_by", "changed_by")


class Item(Struct, frozen=True):
    """Something to be written: of an award, or `stats` of a mentor.

    `believed` is what the table has, None where it has no row, and `after` what the log says. Of
    statistics they hold what differs.
    """

    kind: ItemKind
    peer_mentor_id: str
    badge_definition_id: str | None
    key: str | None
    earned_on: str | None
    tier: str | None
    believed: Mapping[str, Any] | None
    after: Mapping[str, Any]


class Unexplained(Struct, frozen=True):
    """A row that the log does not explain, and that is left as it is."""

    peer_mentor_id: str
    badge_definition_id: str
    key: str | None
    earned_on: str | None
    tier: str | None
    reason: str


class Replayed(Struct, frozen=True):
    """What was found in one partition, once `records` of the log were read.

    `refused` counts what Postgres refused to write: it waits, as what a worker writes does.
    """

    partition: int
    records: int
    items: Sequence[Item] = ()
    unexplained: Sequence[Unexplained] = ()
    refused: int = 0


def award_item(decision: Decision, key: str | None) -> Item:
    after = decision.after
    return Item(
        kind=decision.kind,
        peer_mentor_id=after.peer_mentor_id,
        badge_definition_id=after.badge_definition_id,
        key=key,
        earned_on=_iso(after),
        tier=after.tier,
        believed=_award(decision.believed) if decision.believed else None,
        after=_award(after),
    )


def stats_item(after: Stats, believed: Stats | None) -> Item:
    now, before = _columns(after), _columns(believed) if believed else None
    differing = [name for name, value in now.items() if before is None or before[name] != value]
    return Item(
        kind="stats",
        peer_mentor_id=after.peer_mentor_id,
        badge_definition_id=None,
        key=None,
        earned_on=None,
        tier=None,
        believed={name: before[name] for name in differing} if before else None,
        after={name: now[name] for name in differing},
    )


def unexplained(award: Award, key: str | None, reason: str) -> Unexplained:
    mentor, definition = award.peer_mentor_id, award.badge_definition_id
    return Unexplained(mentor, definition, key, _iso(award), award.tier, reason)


def _award(award: Award) -> dict[str, Any]:
    said = {name: getattr(award, name) for name in _SAID}
    return {**said, "earned_on": _iso(award), "earned_at": award.earned_at}


def _iso(award: Award) -> str | None:
    day = award.derived_on if award.earned_on is None else award.earned_on
    return _date(day)


def _columns(stats: Stats) -> dict[str, Any]:
    columns: dict[str, Any] = msgspec.structs.asdict(stats)
    return {
        name: _date(value) if name.endswith("_on") else value for name, value in columns.items()
    }


def _date(day: Day | None) -> str | None:
    return None if day is None else as_date(day).isoformat()
