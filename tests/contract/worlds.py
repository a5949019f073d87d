"""A store with mentors, definitions and people in it, one kind for each sink."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol
from uuid import uuid4

import asyncpg
import msgspec

from sinks.base import Sink
from sinks.pool import Pool
from sinks.postgres import PostgresSink
from sinks.queries import QUERIES
from sinks.rows import award_of
from sinks.waiting import columns
from tables.types import Award, Stats
from tests.contract.builders import EARNED, EARNED_ON, Log
from tests.doubles.memory_sink import Event, MemorySink, What

EPOCH = 719_163
"""The ordinal of 1970-01-01."""


TRIGGERS = """
CREATE TABLE test_refusals (what text, name uuid, sqlstate text, PRIMARY KEY (what, name));

CREATE FUNCTION test_refuses() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    code text;
BEGIN
    SELECT r.sqlstate INTO code FROM public.test_refusals r
    WHERE session_user = 'badges_worker' AND (TG_WHEN = 'BEFORE') = (r.sqlstate = '09000') AND CASE
        WHEN TG_OP = 'DELETE' THEN (r.what, r.name) = ('delete', OLD.peer_mentor_id)
        WHEN TG_ARGV[0] = 'stats' THEN (r.what, r.name) = ('stats', NEW.peer_mentor_id)
        ELSE (r.what, r.name::text) = (TG_ARGV[0], to_jsonb(NEW) ->> 'badge_definition_id') END;
    IF FOUND AND TG_WHEN = 'AFTER' THEN
        RAISE EXCEPTION 'the application says no' USING ERRCODE = code;
    ELSIF FOUND THEN
        RETURN NULL;
    ELSIF TG_OP = 'DELETE' THEN
        RETURN OLD;
    END IF;
    RETURN NEW;
END
$$;

CREATE TRIGGER test_refuses_awards AFTER INSERT OR UPDATE OR DELETE ON badge_awards
    FOR EACH ROW EXECUTE FUNCTION test_refuses('award');

CREATE TRIGGER test_refuses_stats AFTER INSERT OR UPDATE ON peer_mentor_stats
    FOR EACH ROW EXECUTE FUNCTION test_refuses('stats');

CREATE TRIGGER test_drops_awards BEFORE INSERT OR UPDATE OR DELETE ON badge_awards
    FOR EACH ROW EXECUTE FUNCTION test_refuses('award');

CREATE TRIGGER test_drops_events BEFORE INSERT ON badge_award_events
    FOR EACH ROW EXECUTE FUNCTION test_refuses('event');

CREATE TRIGGER test_drops_stats BEFORE INSERT OR UPDATE ON peer_mentor_stats
    FOR EACH ROW EXECUTE FUNCTION test_refuses('stats');
"""
"""What an application may do: refuse what is listed in test_refusals, if the worker writes it.

An error of the SQLSTATE 09000 is none: the row is let go before it is written.
"""

LET_GO = "09000"
"""The SQLSTATE of a trigger that returned NULL."""


class World(Protocol):
    """What a test of a sink may do besides writing turns."""

    @property
    def sink(self) -> Sink: ...

    async def live_log(
        self, next_offset: int = 0, number: int = 0, *, log_id: str | None = None
    ) -> Log: ...

    async def close_log(self, log_id: str) -> None: ...

    async def mentor(self, mentor: str | None = None) -> str: ...

    async def delete_mentor(self, mentor: str) -> None: ...

    async def definition(self, definition: str | None = None) -> str: ...

    async def delete_definition(self, definition: str) -> None:
        """Delete it; the deletion is version 2, and one inserted again is version 3."""
        ...

    async def award_by_hand(
        self, mentor: str, definition: str, award_id: str | None = None
    ) -> Award: ...

    async def revoke_by_hand(self, award_id: str) -> None: ...

    async def delete_award(self, award_id: str) -> None: ...

    async def events(self, mentor: str) -> Sequence[Event]:
        """The rule's events, oldest first."""
        ...

    async def stats(self, mentor: str) -> Stats | None: ...

    async def rows(self, mentor: str) -> Sequence[Award]:
        """What badge_awards has, by definition; `Sink.awards` adds what waits."""
        ...

    async def refuse(self, what: What, name: str, sqlstate: str = "P0001") -> None:
        """Let a trigger of the application refuse what the worker writes there."""
        ...

    async def accept(self, what: What, name: str) -> None: ...

    async def waiting(self, mentor: str) -> Sequence[tuple[str, str | None]]:
        """Kind and SQLSTATE of what waits about a mentor, in its order."""
        ...

    async def evidence(self, award_id: str) -> Mapping[str, Any]: ...


class MemoryWorld:
    """The world of MemorySink."""

    def __init__(self) -> None:
        self.memory = MemorySink()

    @property
    def sink(self) -> Sink:
        return self.memory

    async def live_log(
        self, next_offset: int = 0, number: int = 0, *, log_id: str | None = None
    ) -> Log:
        log = Log(log_id or str(uuid4()), next_offset, number)
        self.memory.set_position(log.log_id, 0, next_offset, number)
        return log

    async def close_log(self, log_id: str) -> None:
        self.memory.close_log(log_id)

    async def mentor(self, mentor: str | None = None) -> str:
        if mentor is not None:
            self.memory.insert_mentor(mentor)
        return mentor or str(uuid4())

    async def delete_mentor(self, mentor: str) -> None:
        self.memory.delete_mentor(mentor)

    async def definition(self, definition: str | None = None) -> str:
        if definition is not None:
            self.memory.insert_definition(definition)
        return definition or str(uuid4())

    async def delete_definition(self, definition: str) -> None:
        self.memory.delete_definition(definition, version=2)

    async def award_by_hand(
        self, mentor: str, definition: str, award_id: str | None = None
    ) -> Award:
        award = Award(
            id=award_id or str(uuid4()),
            peer_mentor_id=mentor,
            badge_definition_id=definition,
            earned_at=EARNED,
            definition_version=1,
            awarded_by="postgres",
            changed_by="postgres",
            earned_on=EARNED_ON,
        )
        self.memory.put_award(award)
        return msgspec.structs.replace(award)

    async def revoke_by_hand(self, award_id: str) -> None:
        award = self.memory.awards_by_id[award_id]
        award.revoked_by = award.changed_by = "postgres"

    async def delete_award(self, award_id: str) -> None:
        self.memory.delete_award(award_id)

    async def events(self, mentor: str) -> Sequence[Event]:
        return [event for event in self.memory.events if event.peer_mentor_id == mentor]

    async def stats(self, mentor: str) -> Stats | None:
        return self.memory.stats.get(mentor)

    async def rows(self, mentor: str) -> Sequence[Award]:
        held = [row for row in self.memory.awards_by_id.values() if row.peer_mentor_id == mentor]
        return sorted(held, key=lambda row: row.badge_definition_id)

    async def refuse(self, what: What, name: str, sqlstate: str = "P0001") -> None:
        self.memory.refusing[what, name] = sqlstate

    async def accept(self, what: What, name: str) -> None:
        self.memory.refusing.pop((what, name), None)

    async def waiting(self, mentor: str) -> Sequence[tuple[str, str | None]]:
        return [
            (columns(row.item)[0], row.refusal.sqlstate if row.refusal else None)
            for row in self.memory.queue.rows
            if columns(row.item)[1] == mentor
        ]

    async def evidence(self, award_id: str) -> Mapping[str, Any]:
        return self.memory.evidence[award_id]


class PostgresWorld:
    """The world of PostgresSink: `owner` acts as people do, the sink as the worker's role."""

    def __init__(self, owner: Pool, worker: Pool, organization: str) -> None:
        self.owner = owner
        self.worker = worker
        self.postgres = PostgresSink(worker, patience=60, refusal_patience=0)
        self._organization = organization
        self._is_new = True

    @property
    def sink(self) -> Sink:
        return self.postgres

    async def live_log(
        self, next_offset: int = 0, number: int = 0, *, log_id: str | None = None
    ) -> Log:
        if self._is_new:  # what other tests have left
            await self.owner.execute("DELETE FROM badge_refused_writes")
            if await self.owner.fetchval("SELECT to_regclass('test_refusals') IS NOT NULL"):
                await self.owner.execute("DELETE FROM test_refusals")
            self._is_new = False
        log = Log(log_id or str(uuid4()), next_offset, number)
        await self.owner.execute(
            """
            INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions,
                                    system_identifier, timeline, state)
            SELECT $1, coalesce(max(generation), 0) + 1, 't', 's', 'c', 1, 'i', 1, 'live'
            FROM badge_logs
            """,
            log.log_id,
        )
        await self.owner.execute(
            "INSERT INTO badge_log_positions VALUES ($1, 0, $2, $3)",
            log.log_id,
            next_offset,
            number,
        )
        return log

    async def close_log(self, log_id: str) -> None:
        await self.owner.execute("DELETE FROM badge_log_positions WHERE log_id = $1", log_id)
        await self.owner.execute("UPDATE badge_logs SET state = 'closed' WHERE log_id = $1", log_id)

    async def mentor(self, mentor: str | None = None) -> str:
        mentor = mentor or str(uuid4())
        await self.owner.execute(
            "INSERT INTO peer_mentors (id, organization_id) VALUES ($1, $2)",
            mentor,
            self._organization,
        )
        return mentor

    async def delete_mentor(self, mentor: str) -> None:
        await self.owner.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)

    async def definition(self, definition: str | None = None) -> str:
        definition = definition or str(uuid4())
        await self.owner.execute(
            """
            INSERT INTO badge_definitions (id, key, criteria, status)
            VALUES ($1, $2, '{}', 'active')
            """,
            definition,
            str(uuid4()),
        )
        return definition

    async def delete_definition(self, definition: str) -> None:
        await self.owner.execute("DELETE FROM badge_definitions WHERE id = $1", definition)

    async def award_by_hand(
        self, mentor: str, definition: str, award_id: str | None = None
    ) -> Award:
        await self.owner.execute(
            """
            INSERT INTO badge_awards
                (id, peer_mentor_id, badge_definition_id, earned_at, awarded_by)
            VALUES ($1, $2, $3, $4, session_user)
            """,
            award_id or str(uuid4()),
            mentor,
            definition,
            EARNED,
        )
        awards = await self.sink.awards("", 0, [mentor])
        return next(award for award in awards if award.badge_definition_id == definition)

    async def revoke_by_hand(self, award_id: str) -> None:
        await self.owner.execute(
            "UPDATE badge_awards SET revoked_at = now() WHERE id = $1", award_id
        )

    async def delete_award(self, award_id: str) -> None:
        await self.owner.execute("DELETE FROM badge_awards WHERE id = $1", award_id)

    async def events(self, mentor: str) -> Sequence[Event]:
        rows = await self.owner.fetch(
            """
            SELECT badge_award_id::text, peer_mentor_id::text, badge_definition_id::text, kind,
                   tier, definition_version, source, caused_at
            FROM badge_award_events
            WHERE peer_mentor_id = $1 AND source <> 'admin'
            ORDER BY id
            """,
            mentor,
        )
        return [Event(**dict(row)) for row in rows]

    async def stats(self, mentor: str) -> Stats | None:
        row = await self.owner.fetchrow(
            "SELECT * FROM peer_mentor_stats WHERE peer_mentor_id = $1", mentor
        )
        return _stats(row) if row else None

    async def rows(self, mentor: str) -> Sequence[Award]:
        return [award_of(row) for row in await self.owner.fetch(QUERIES["awards"], [mentor])]

    async def refuse(self, what: What, name: str, sqlstate: str = "P0001") -> None:
        await self.owner.execute(
            "INSERT INTO test_refusals VALUES ($1, $2, $3)", what, name, sqlstate
        )

    async def accept(self, what: What, name: str) -> None:
        await self.owner.execute(
            "DELETE FROM test_refusals WHERE (what, name) = ($1, $2::uuid)", what, name
        )

    async def waiting(self, mentor: str) -> Sequence[tuple[str, str | None]]:
        rows = await self.owner.fetch(
            "SELECT kind, sqlstate FROM badge_refused_writes WHERE peer_mentor_id = $1 ORDER BY id",
            mentor,
        )
        return [(row["kind"], row["sqlstate"]) for row in rows]

    async def evidence(self, award_id: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self.owner.fetchval(
            "SELECT evidence FROM badge_awards WHERE id = $1", award_id
        )
        return found


def _stats(row: asyncpg.Record) -> Stats:
    values = {name: row[name] for name in Stats.__struct_fields__}
    days = {name: day.toordinal() - EPOCH for name, day in values.items() if isinstance(day, date)}
    return Stats(**{**values, **days, "peer_mentor_id": str(row["peer_mentor_id"])})
