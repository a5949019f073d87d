"""What Postgres has refused to write so far (badge_refused_writes), as plainly as it can be read.

What waits is decided: the awards that are compared are those that there are once it is
written, one after the other. Its events are not written yet, so it counts for none.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import msgspec
from msgspec import Struct

from sinks.base import Found
from sinks.pool import Executor
from tables.types import Award, Stats

Pair: TypeAlias = tuple[str, str]

_WAITING = """
SELECT kind, peer_mentor_id::text AS mentor, badge_definition_id::text AS badge,
       decision::text AS decision
FROM badge_refused_writes WHERE log_id = $1 ORDER BY id
"""
_FOUND = "SELECT coalesce(found::text, '[]') FROM badge_logs WHERE log_id = $1"


class RefusedWrite(Struct, frozen=True):
    """A row of badge_refused_writes; `badge` is a definition's id, or None."""

    kind: str
    mentor: str
    badge: str | None
    decision: Mapping[str, Any]


async def read(connection: Executor, log_id: str) -> list[RefusedWrite]:
    """What waits, in the order in which it will be written."""
    return [
        RefusedWrite(row["kind"], row["mentor"], row["badge"], msgspec.json.decode(row["decision"]))
        for row in await connection.fetch(_WAITING, log_id)
    ]


async def read_found(connection: Executor, log_id: str) -> list[Found]:
    """What waited when the log went live."""
    return msgspec.json.decode(await connection.fetchval(_FOUND, log_id), type=list[Found])


def awards_then(rows: Iterable[Award], refused: Iterable[RefusedWrite]) -> list[Award]:
    """The awards once everything is written that waits."""
    awards = {(row.peer_mentor_id, row.badge_definition_id): row for row in rows}
    for each in refused:
        if each.kind == "departed":
            for pair, row in list(awards.items()):
                if pair[0] == each.mentor and row.changed_by == "rule":
                    del awards[pair]
        elif each.badge is not None:
            _write(awards, (each.mentor, each.badge), each)
    return list(awards.values())


def _write(awards: dict[Pair, Award], pair: Pair, refused: RefusedWrite) -> None:
    after = msgspec.convert(refused.decision["after"], Award)
    row = awards.get(pair)
    if refused.kind == "granted":
        if row is None:
            awards[pair] = after
    elif row is not None and row.id == after.id:
        if refused.kind == "withdrawn":
            if row.changed_by == row.awarded_by == "rule":
                del awards[pair]
            return
        believed = msgspec.convert(refused.decision["believed"], Award)
        names = ("tier", "revoked_by", "changed_by")
        if all(getattr(row, name) == getattr(believed, name) for name in names):
            awards[pair] = after


def stats_then(rows: Sequence[Stats], refused: Iterable[RefusedWrite]) -> list[Stats]:
    """The statistics once everything is written that waits."""
    stats = {row.peer_mentor_id: row for row in rows}
    for each in refused:
        if each.kind == "departed":
            stats.pop(each.mentor, None)
        elif each.kind == "stats":
            stats[each.mentor] = msgspec.convert(each.decision, Stats)
    return list(stats.values())
