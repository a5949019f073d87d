"""A store with mentors, definitions and people in it, one kind for each sink."""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Protocol
from uuid import uuid4

import asyncpg
import msgspec

from badges.sinks.base import DeadLetter, Sink, Unavailable
from badges.sinks.dead_letters import MemoryDeadLetters
from badges.sinks.memory import Event, MemorySink
from badges.sinks.pool import Pool
from badges.sinks.postgres import PostgresSink
from badges.tables.types import Award, Stats
from tests.contract.builders import EARNED, EARNED_ON, Log

EPOCH = 719_163
"""The ordinal of 1970-01-01."""


class Letters(MemoryDeadLetters):
    """Dead letters that can be out of reach."""

    away = False

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        if self.away:
            raise Unavailable("the dead letters are away")
        await super().send(letters)


class World(Protocol):
    """What a test of a sink may do besides writing turns."""

    letters: Letters

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

    async def evidence(self, award_id: str) -> Mapping[str, Any]: ...


class MemoryWorld:
    """The world of MemorySink."""

    def __init__(self) -> None:
        self.letters = Letters()
        self.memory = MemorySink(self.letters)

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

    async def evidence(self, award_id: str) -> Mapping[str, Any]:
        return self.memory.evidence[award_id]


class PostgresWorld:
    """The world of PostgresSink: `owner` acts as people do, the sink as the worker's role."""

    def __init__(self, owner: Pool, worker: Pool, organization: str) -> None:
        self.owner = owner
        self.worker = worker
        self.letters = Letters()
        self.postgres = PostgresSink(worker, self.letters, patience=2)
        self._organization = organization

    @property
    def sink(self) -> Sink:
        return self.postgres

    async def live_log(
        self, next_offset: int = 0, number: int = 0, *, log_id: str | None = None
    ) -> Log:
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
                   tier, definition_version, source
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

    async def evidence(self, award_id: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = await self.owner.fetchval(
            "SELECT evidence FROM badge_awards WHERE id = $1", award_id
        )
        return found


def _stats(row: asyncpg.Record) -> Stats:
    values = {name: row[name] for name in Stats.__struct_fields__}
    days = {name: day.toordinal() - EPOCH for name, day in values.items() if isinstance(day, date)}
    return Stats(**{**values, **days, "peer_mentor_id": str(row["peer_mentor_id"])})
