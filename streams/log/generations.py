"""The generations of the log: what badge_logs says of each, and how one becomes the next."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct, field

from sinks.alerts import PARTITION_SUBJECT, PARTITIONS, BreakKind
from sinks.base import Place
from sinks.pool import Connection, Executor
from streams.errors import Failure
from streams.log import fingerprint, topics
from streams.log.carrying import carry_over
from streams.log.debezium import UNAVAILABLE
from streams.log.topics import WantedTopic
from streams.log.wal import insert_lsn

State: TypeAlias = Literal["filling", "live", "closed", "broken"]

_COLUMNS = """
    log_id, generation, topic, slot, connector, partitions, system_identifier, timeline, state,
    (start_lsn - '0/0')::bigint AS start_lsn, coalesce(starts, '{}') AS starts, reason,
    coalesce(columns, '{}')::text AS columns, stand_in
"""

_NOTE_BROKEN = """
UPDATE badge_logs SET state = 'broken', reason = $2
WHERE log_id = $1 AND state IN ('filling', 'live')
"""


class Names(Struct, frozen=True):
    topic: str
    heartbeat_topic: str
    slot: str
    connector: str


class Generation(Struct, frozen=True):
    """A row of badge_logs.

    `log_id` is Kafka's topic id. `starts` has one offset a partition, from which on every record is
    an event; it is empty until the generation is live. `start_lsn`, a WAL position in bytes, is
    where the slot began while the generation is filling, and what the starts lie behind afterwards.
    `columns` are those that were published of each table when it was begun. `stand_in` is what the
    connector sends in the place of a long text that it was not sent itself.
    """

    log_id: str
    number: int
    topic: str
    slot: str
    connector: str
    partitions: int
    system_identifier: str
    timeline: int
    state: State
    start_lsn: int | None = None
    starts: tuple[int, ...] = ()
    reason: str | None = None
    columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    stand_in: str = UNAVAILABLE

    @property
    def publication(self) -> str:
        """The publication that the slot is read through; all generations share it."""
        return self.slot.removesuffix(f"_{self.number}")

    @property
    def prefix(self) -> str:
        """What the names of all its parts begin with."""
        return self.connector.removesuffix(f"-mentor-log-{self.number}")

    @property
    def group(self) -> str:
        """The group of the workers that read it."""
        return group(self.prefix)

    @property
    def heartbeat_topic(self) -> str:
        return names(self.prefix, self.number).heartbeat_topic


def publication(prefix: str) -> str:
    """How the publication is called that all generations share."""
    return f"{prefix}_mentor_log"


def group(prefix: str) -> str:
    """How the group of workers is called, whatever generation they read."""
    return f"{prefix}-worker"


def names(prefix: str, number: int) -> Names:
    """How the parts of generation `number` are called: never twice for anything else."""
    return Names(
        topic=f"{prefix}.mentor-log.{number}",
        heartbeat_topic=f"{prefix}.heartbeat.{number}",
        slot=f"{publication(prefix)}_{number}",
        connector=f"{prefix}-mentor-log-{number}",
    )


def refuse_other_prefix(generation: Generation, prefix: str) -> None:
    """Raise Failure where a generation has other names than those that the prefix gives."""
    expected = names(prefix, generation.number)
    if (expected.topic, expected.slot, expected.connector) == (
        generation.topic,
        generation.slot,
        generation.connector,
    ):
        return
    raise Failure(
        f"generation {generation.number} of this database's log was made with the prefix "
        f"{generation.prefix!r}, and BADGES_PREFIX is {prefix!r}",
        hint=f"Set BADGES_PREFIX={generation.prefix}: the prefix of a log that is there stays",
    )


def topics_of(generation: Generation, partitions: int, replicas: int) -> Sequence[WantedTopic]:
    """The topics of a log as they have to be, its own first, by the replicas that it has."""
    return (
        topics.mentor_log(generation.topic, partitions, replicas),
        topics.heartbeats(generation.heartbeat_topic),
        topics.dead_letters(generation.prefix),
    )


async def live(connection: Executor) -> Generation | None:
    return await _one(connection, "WHERE state = 'live' ORDER BY generation DESC LIMIT 1")


async def filling(connection: Executor) -> Generation | None:
    return await _one(connection, "WHERE state = 'filling' ORDER BY generation DESC LIMIT 1")


async def newest(connection: Executor) -> Generation | None:
    """The last generation that was begun, whatever became of it: it tells why none is live."""
    return await _one(connection, "ORDER BY generation DESC LIMIT 1")


async def last_live(connection: Executor) -> Generation | None:
    """The generation that is live, or was last, whatever became of it."""
    return await _one(connection, "WHERE live_at IS NOT NULL ORDER BY generation DESC LIMIT 1")


async def find(connection: Executor, log_id: str) -> Generation | None:
    return await _one(connection, "WHERE log_id = $1", log_id)


async def over(connection: Executor, number: int) -> list[Generation]:
    """The generations before `number` that nobody asked to keep."""
    rest = "WHERE generation < $1 AND NOT kept ORDER BY generation"
    return await _several(connection, rest, number)


async def keep(connection: Executor, kept: bool) -> None:
    """Note of all generations there are whether they are kept when they are over."""
    await connection.execute("UPDATE badge_logs SET kept = $1 WHERE kept <> $1", kept)


async def numbers(connection: Executor) -> set[int]:
    return {
        row["generation"] for row in await connection.fetch("SELECT generation FROM badge_logs")
    }


class Decided(Struct, frozen=True):
    """How far a partition is decided, the last record of that, and the highest end it ever had."""

    next_offset: int
    last: Place | None = None
    highest_end: int = 0


async def decided(connection: Executor, log_id: str) -> dict[int, Decided]:
    rows = await connection.fetch(
        """
        SELECT partition, next_offset, last_offset, last_sequence, highest_end
        FROM badge_log_positions WHERE log_id = $1
        """,
        log_id,
    )
    return {
        row["partition"]: Decided(
            row["next_offset"],
            None if row["last_offset"] is None else Place(row["last_offset"], row["last_sequence"]),
            row["highest_end"] or 0,
        )
        for row in rows
    }


async def note_ends(connection: Executor, log_id: str, ends: Mapping[int, int]) -> None:
    """Note the highest ends that partitions were seen to have; one in a turn is left for later."""
    await connection.execute(
        """
        UPDATE badge_log_positions p SET highest_end = seen.highest
        FROM (
            SELECT q.partition, e.highest
            FROM badge_log_positions q
            JOIN unnest($2::int[], $3::bigint[]) AS e (partition, highest) USING (partition)
            WHERE q.log_id = $1 AND coalesce(q.highest_end, 0) < e.highest
            FOR UPDATE OF q SKIP LOCKED
        ) AS seen
        WHERE p.log_id = $1 AND p.partition = seen.partition
        """,
        log_id,
        list(ends),
        list(ends.values()),
    )


async def next_offsets(connection: Executor, log_id: str) -> dict[int, int]:
    rows = await connection.fetch(
        "SELECT partition, next_offset FROM badge_log_positions WHERE log_id = $1", log_id
    )
    return {row["partition"]: row["next_offset"] for row in rows}


async def identity(connection: Executor) -> tuple[str, int]:
    """The database's system identifier and timeline: both change when it is restored or moved.

    The timeline is read from the name of the WAL file being written, because pg_control lags until
    the next checkpoint.
    """
    row = await connection.fetchrow(
        """
        SELECT system_identifier::text,
               ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::int AS timeline
        FROM pg_control_system()
        """
    )
    assert row is not None
    return row["system_identifier"], row["timeline"]


async def begin(connection: Executor, generation: Generation) -> None:
    """Write the row of a generation that is about to be filled, and what it is filled from."""
    await connection.execute(
        f"""
        INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions,
                                system_identifier, timeline, state, stand_in, columns, fingerprint)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8, 'filling', $10,
               (SELECT jsonb_object_agg(tablename, attnames::text[]) FROM pg_publication_tables
                WHERE pubname = $9::text AND schemaname = 'public'),
               {fingerprint.present("$9::text")}
        """,
        generation.log_id,
        generation.number,
        generation.topic,
        generation.slot,
        generation.connector,
        generation.partitions,
        generation.system_identifier,
        generation.timeline,
        generation.publication,
        generation.stand_in,
    )


async def note_slot_start(connection: Executor, log_id: str, lsn: int) -> None:
    """Note where a filling generation's slot began, in bytes of WAL, unless it is noted already."""
    await connection.execute(
        """
        UPDATE badge_logs SET start_lsn = '0/0'::pg_lsn + $2::bigint
        WHERE log_id = $1 AND state = 'filling' AND start_lsn IS NULL
        """,
        log_id,
        lsn,
    )


async def close_older(connection: Connection, number: int) -> int:
    """Close what workers write from until now, and say up to where they wrote (WAL, in bytes).

    A worker's transaction begins with its position's row; once the rows are gone, none can commit.
    The WAL position is read after that commit, so whatever they wrote lies before it.
    """
    async with connection.transaction():
        await connection.execute(
            """
            DELETE FROM badge_log_positions WHERE log_id IN
                (SELECT log_id FROM badge_logs WHERE generation < $1)
            """,
            number,
        )
        await connection.execute(
            """
            UPDATE badge_logs SET state = 'closed', closed_at = now()
            WHERE generation < $1 AND live_at IS NOT NULL AND state IN ('live', 'broken')
            """,
            number,
        )
    return await insert_lsn(connection)


async def go_live(
    connection: Connection, log_id: str, start_lsn: int, starts: Sequence[int]
) -> None:
    """Let workers decide from this generation, each partition from its start, turn 0.

    What waits to be written waits on there.
    """
    async with connection.transaction():
        await connection.execute(
            """
            INSERT INTO badge_log_positions (log_id, partition, next_offset, turn)
            SELECT $1, place - 1, start, 0 FROM unnest($2::bigint[]) WITH ORDINALITY p(start, place)
            """,
            log_id,
            list(starts),
        )
        await connection.execute(
            """
            UPDATE badge_logs SET state = 'live', starts = $2, live_at = now(),
                                  start_lsn = '0/0'::pg_lsn + $3::bigint
            WHERE log_id = $1 AND state = 'filling'
            """,
            log_id,
            list(starts),
            start_lsn,
        )
        await carry_over(connection, log_id, len(starts))
        # The partitions that these speak of are those of the generation that is over.
        await connection.execute(
            "UPDATE badge_alerts SET resolved_at = now() "
            "WHERE resolved_at IS NULL AND kind = ANY ($1) AND detail ->> 'subject' ~ $2",
            list(PARTITIONS),
            PARTITION_SUBJECT,
        )


async def note_broken(connection: Executor, log_id: str, reason: str) -> None:
    """Note for good that the generation cannot be used; the first reason stays."""
    await connection.execute(_NOTE_BROKEN, log_id, reason)


async def mark_broken(connection: Executor, log_id: str, kind: BreakKind, reason: str) -> None:
    """Note that a live generation is broken, and open the alert of it in the same statement.

    Whoever finds the note opens no alert: it must not be lost with the one who wrote it.
    """
    await connection.execute(
        f"""
        WITH noted AS ({_NOTE_BROKEN} RETURNING reason)
        INSERT INTO badge_alerts (kind, detail)
        SELECT $3::text, jsonb_build_object('message', reason) FROM noted
        ON CONFLICT (kind, (coalesce(detail ->> 'subject', ''))) WHERE resolved_at IS NULL
        DO NOTHING
        """,
        log_id,
        reason,
        kind,
    )


async def _one(connection: Executor, condition: str, *values: object) -> Generation | None:
    return next(iter(await _several(connection, condition, *values)), None)


async def _several(connection: Executor, rest: str, *values: object) -> list[Generation]:
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM badge_logs {rest}", *values)
    return [_generation(dict(row)) for row in rows]


def _generation(fields: dict[str, Any]) -> Generation:
    fields["number"] = fields.pop("generation")
    fields["starts"] = tuple(fields["starts"])
    fields["columns"] = msgspec.json.decode(fields["columns"])
    fields["stand_in"] = fields["stand_in"] or UNAVAILABLE
    return Generation(**fields)
