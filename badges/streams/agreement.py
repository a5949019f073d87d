"""Whether what the fold holds is what badge_awards has, once a partition has caught up.

A row that somebody has just changed differs until its record has come round through the log. So a
difference counts only if it is still there when the log has everything up to a moment after it was
seen first, and the lane has folded all of it.
"""

from collections.abc import Iterable

import msgspec.structs
import structlog
from msgspec import Struct

from badges.sinks.alerts import Alerts
from badges.sinks.base import Sink, Unavailable
from badges.sinks.failures import translated
from badges.sinks.pool import Pool
from badges.streams.partition import Partition
from badges.tables.types import Award

KIND = "awards_differ"
NAMED_AT_MOST = 20

log = structlog.get_logger(__name__)


class Suspicion(Struct, frozen=True):
    """Mentors whose awards differ, and the WAL position (bytes) that the log has to pass."""

    mentors: frozenset[str]
    wal: int


class Watch:
    """One caught-up partition's comparison, a step at a time: `look` while nothing is to fold."""

    def __init__(self, agreement: "Agreement", state: Partition) -> None:
        self._agreement = agreement
        self._state = state
        self._suspicion: Suspicion | None = None
        self._done = False

    async def look(self) -> None:
        """Compare, or compare again; does nothing once that has come to a result."""
        if self._done:
            return
        try:
            if self._suspicion is None:
                self._suspicion = await self._agreement.suspect(self._state)
            else:
                self._suspicion = await self._agreement.look_again(self._state, self._suspicion)
            self._done = self._suspicion is None
        except Unavailable as error:
            log.info("awards cannot be compared yet", error=str(error))


class Wal:
    """How far the database's log is written, and how far the connector has sent it to Kafka."""

    def __init__(self, pool: Pool, slot: str) -> None:
        self._pool = pool
        self._slot = slot

    async def written(self) -> int:
        """The end of the WAL, in bytes. Raises Unavailable."""
        with translated():
            written = await self._pool.fetchval(
                "select (pg_current_wal_insert_lsn() - '0/0')::bigint"
            )
        return int(written)

    async def sent(self) -> int:
        """Up to where the connector has confirmed, in bytes. Raises Unavailable."""
        with translated():
            sent = await self._pool.fetchval(
                "select (confirmed_flush_lsn - '0/0')::bigint from pg_replication_slots"
                " where slot_name = $1",
                self._slot,
            )
        return int(sent or 0)


class Agreement:
    """Compares partitions with the awards that are there."""

    def __init__(self, sink: Sink, alerts: Alerts, wal: Wal) -> None:
        self._sink = sink
        self._alerts = alerts
        self._wal = wal

    async def suspect(self, state: Partition) -> Suspicion | None:
        """Compare all mentors of a partition that has caught up. Raises Unavailable."""
        return await self._suspicion(state, state.ledgers)

    async def look_again(self, state: Partition, suspicion: Suspicion) -> Suspicion | None:
        """Compare again when nothing is left to fold; what is left to suspect. Raises Unavailable.

        Once the log has passed the suspicion's WAL position, a difference is an alert.
        """
        if await self._wal.sent() < suspicion.wal:
            return suspicion
        found = await self._suspicion(state, suspicion.mentors)
        if found is None:
            await self._alerts.resolve(KIND, subject=str(state.number))
        else:
            await self._tell(state, found)
        return None

    async def _suspicion(self, state: Partition, mentors: Iterable[str]) -> Suspicion | None:
        among = [mentor for mentor in mentors if mentor in state.ledgers]
        found: dict[str, list[Award]] = {mentor: [] for mentor in among}
        for award in await self._sink.awards(state.log_id, state.number, among):
            found[award.peer_mentor_id].append(award)
        differing = frozenset(m for m in among if not _agree(state.ledgers[m].held, found[m]))
        return Suspicion(differing, await self._wal.written()) if differing else None

    async def _tell(self, state: Partition, found: Suspicion) -> None:
        mentors = sorted(found.mentors)
        log.error("awards differ from the log", partition=state.number, mentors=len(mentors))
        await self._alerts.raise_alert(
            KIND,
            {
                "message": f"badge_awards of {len(mentors)} mentors differ from what the log says; "
                "nothing was changed",
                "mentors": mentors[:NAMED_AT_MOST],
            },
            subject=str(state.number),
        )


def _agree(held: dict[str, Award], found: Iterable[Award]) -> bool:
    """Whether both name the same awards; who wrote a row last is not part of that."""
    return {k: _bare(v) for k, v in held.items()} == {
        award.badge_definition_id: _bare(award) for award in found
    }


def _bare(award: Award) -> Award:
    return msgspec.structs.replace(award, changed_by="")
