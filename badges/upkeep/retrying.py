"""Taking in again what is mended: a dead letter's row goes through the log once more.

The row is updated so that it says what it says: the log gets its newest version, and the worker
either uses it or makes another dead letter of it, before it moves its position past the record.
"""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias
from uuid import UUID

import asyncpg

from badges.upkeep.dead_letters import Shelf
from schema.wanted import LOG_TYPES
from sinks.base import DeadLetter
from sinks.column_types import wrong_types
from sinks.failures import reason_of
from sinks.pool import Connection
from streams.errors import Failure
from streams.lag.catching_up import partitions_behind
from streams.log import generations
from streams.log.generations import Generation
from streams.log.topics import partition_of
from streams.unusable import outline

_Row: TypeAlias = tuple[str, str]
"""Table and id."""

_Fate: TypeAlias = Literal["taken in", "gone", "still refused", "not decided", "no row"]

LEFT: tuple[_Fate, ...] = ("still refused", "not decided", "no row")
"""What leaves the dead letter where it is."""

_CHUNK = 200
"""Rows that are updated, and locked, at a time."""

# Long texts are sent only if they are written anew.
_NOTHING_CHANGES = {
    "peer_mentors": "id = id",
    "activities": "id = id, activity_type = activity_type || ''",
    "training_completions": "id = id, course_code = course_code || ''",
    "mentor_pauses": "id = id",
    "badge_awards": "id = id, tier = tier || '', awarded_by = awarded_by || '', "
    "revoked_by = revoked_by || ''",
}
"""By table, an update after which a row says what it said before."""

_EVENTS = {"badge_awards": "changed_by <> 'rule'"}
"""What has to hold for such an update to be an event, where not every one is."""

_MENTOR = {"peer_mentors": "id"}
"""The column with the mentor's id, where it is not peer_mentor_id."""


@dataclass(frozen=True)
class Told:
    """What became of a dead letter, and why, if it is still there."""

    key: str
    outcome: _Fate
    reason: str | None = None


@dataclass(frozen=True)
class _Sent:
    """A row on its way through the log: its mentor, and the transaction that updated it."""

    mentor: str
    xid: int


async def retry(
    connection: Connection, shelf: Shelf, letters: Mapping[str, DeadLetter], limit: float
) -> list[Told]:
    """Take in the rows of dead letters that name one; remove those of which nothing is left.

    The connection is the owner's of the tables. `limit` is how many seconds the worker may take.
    Raises Failure when no log is live, and PostgresError when the role may not do this.
    """
    log = await generations.live(connection)
    if log is None:
        raise Failure("no log is live here: see `badges provision`, or badge_logs for why it broke")
    known = (await shelf.letters()).keys()
    outcomes: dict[_Row, tuple[_Fate, str | None]] = {}
    rows = {row for letter in letters.values() if (row := row_of(letter))}
    sent: dict[_Row, _Sent] = {}
    async for row, answer in _send_all(connection, rows):
        if isinstance(answer, _Sent):
            sent[row] = answer
        else:
            outcomes[row] = answer
    undecided = await _until_decided(connection, shelf, log, sent, limit)
    came_of_it = _came_of_it(await shelf.letters(), known, log, sent)
    for row in sent:
        if row in undecided:
            outcomes[row] = "not decided", undecided[row]
        elif row in came_of_it:
            outcomes[row] = "still refused", next(iter(came_of_it[row].values())).reason
        else:
            outcomes[row] = "taken in", None
    told = [_told(key, letter, outcomes) for key, letter in letters.items()]
    # The dead letter that was there tells of the row already.
    again = [key for row in came_of_it if row not in undecided for key in came_of_it[row]]
    await shelf.store.remove([*again, *(each.key for each in told if each.outcome not in LEFT)])
    return told


def row_of(letter: DeadLetter) -> _Row | None:
    """The row that a dead letter names."""
    if letter.table not in _NOTHING_CHANGES or letter.row_id is None:
        return None
    try:
        return letter.table, str(UUID(letter.row_id))
    except ValueError:
        return None


def _told(key: str, letter: DeadLetter, outcomes: Mapping[_Row, tuple[_Fate, str | None]]) -> Told:
    row = row_of(letter)
    if row is not None:
        return Told(key, *outcomes[row])
    if letter.badge_definition_id is not None:
        reason = "a decision that Postgres refused, kept by an older version"
    else:
        reason = "it names no row of a table in the log"
    return Told(key, "no row", f"{reason}: it can only be dropped")


async def _send_all(
    connection: Connection, rows: set[_Row]
) -> AsyncIterator[tuple[_Row, _Sent | tuple[_Fate, str]]]:
    for table in sorted({table for table, _ in rows}):
        ids = sorted(row_id for name, row_id in rows if name == table)
        wrong = await wrong_types(connection, LOG_TYPES, table)
        if wrong:
            reason = f"{', '.join(map(str, wrong))}: `badges migrate --check` prints what mends it"
            for row_id in ids:
                yield (table, row_id), ("still refused", reason)
            continue
        for first in range(0, len(ids), _CHUNK):
            for row_id, answer in await _send(connection, table, ids[first : first + _CHUNK]):
                yield (table, row_id), answer


async def _send(
    connection: Connection, table: str, ids: Sequence[str]
) -> Sequence[tuple[str, _Sent | tuple[_Fate, str]]]:
    """Update some rows together or, where one of them is refused, one by one."""
    try:
        async with connection.transaction():
            return await _update(connection, table, ids)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.PostgresConnectionError):
        raise
    except asyncpg.PostgresError as error:
        if len(ids) == 1:
            return [(ids[0], ("still refused", reason_of(error)))]
    return [each for row_id in ids for each in await _send(connection, table, [row_id])]


async def _update(
    connection: Connection, table: str, ids: Sequence[str]
) -> list[tuple[str, _Sent | tuple[_Fate, str]]]:
    # A policy that hides a row makes this an error, and not a row that is gone.
    await connection.execute("SET LOCAL row_security = off; SET LOCAL lock_timeout = '5s'")
    updated = await connection.fetch(
        f"UPDATE public.{table} SET {_NOTHING_CHANGES[table]} "
        f"WHERE id = ANY ($1::uuid[]) AND {_EVENTS.get(table, 'true')} "
        f"RETURNING id::text AS id, {_MENTOR.get(table, 'peer_mentor_id')}::text AS mentor, "
        "(pg_current_xact_id()::text::numeric % 4294967296)::bigint AS xid",
        ids,
    )
    there = await connection.fetch(
        f"SELECT id::text AS id, {_EVENTS.get(table, 'true')} AS event FROM public.{table} "
        "WHERE id = ANY ($1::uuid[])",
        ids,
    )
    sent = {row["id"]: _Sent(row["mentor"], row["xid"]) for row in updated}
    kept = {row["id"]: _KEPT if row["event"] else _NO_EVENT for row in there}
    return [(row_id, sent.get(row_id) or kept.get(row_id, _GONE)) for row_id in ids]


_GONE: tuple[_Fate, str] = "gone", "the row is gone: nothing to take in"
_KEPT: tuple[_Fate, str] = (
    "still refused",
    "a trigger of the application lets no update through that changes nothing",
)
_NO_EVENT: tuple[_Fate, str] = (
    "still refused",
    "the rule wrote this award last, so only a person's change of it is taken in",
)


async def _until_decided(
    connection: Connection,
    shelf: Shelf,
    log: Generation,
    sent: Mapping[_Row, _Sent],
    limit: float,
) -> dict[_Row, str]:
    """Wait until the worker has decided what was sent; which rows it had not, and why not."""
    partitions = {row: partition_of(each.mentor, log.partitions) for row, each in sent.items()}
    late = await partitions_behind(connection, shelf.cluster, log, set(partitions.values()), limit)
    return {row: late[place] for row, place in partitions.items() if place in late}


def _came_of_it(
    found: Mapping[str, DeadLetter],
    known: Collection[str],
    log: Generation,
    sent: Mapping[_Row, _Sent],
) -> dict[_Row, dict[str, DeadLetter]]:
    """The dead letters that were made of what was sent, by row."""
    new: dict[_Row, dict[str, DeadLetter]] = {}
    for key, letter in found.items():
        row = row_of(letter)
        if key in known or row is None or row not in sent or letter.log_id != log.log_id:
            continue
        # Of a value that is cut not even the transaction can be read.
        if outline(letter.value or b"").xid in (sent[row].xid, None):
            new.setdefault(row, {})[key] = letter
    return new
