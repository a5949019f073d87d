"""Whether what the fold holds is what badge_awards has, once a partition has caught up.

A row that somebody has just changed differs until its record has come round through the log. So a
difference counts only if the very same is still there when the log has everything up to a moment
after it was seen first, and its worker has folded all of it.
"""

import asyncio
from collections.abc import Iterable
from typing import Final, TypeAlias

import msgspec.structs
import structlog
from msgspec import Struct

from sinks.alerts import Alerts
from sinks.base import Sink, Unavailable
from sinks.failures import Refused
from streams.log.wal import Wal
from streams.partition import Partition
from tables.types import Award, Day

KIND: Final = "awards_differ"
NAMED_AT_MOST = 20
AGAIN_SECONDS = 60.0
"""How long after it was told a difference is looked for again."""

log = structlog.get_logger(__name__)


Differences: TypeAlias = dict[tuple[str, str], tuple[Award | None, Award | None]]
"""By mentor and definition: what the fold holds, and what was found."""


class Suspicion(Struct, frozen=True):
    """What differs, and the WAL position (bytes) that the log has to pass, 0 once it has."""

    differences: Differences
    wal: int


class Told(Struct, frozen=True):
    """An alert that is open: whose awards differ."""

    mentors: frozenset[str]


NOTHING_TOLD = Told(frozenset())


class Watch:
    """One caught-up partition's comparison, a step at a time: `look` while nothing is to fold."""

    def __init__(self, reconciliation: "Reconciliation", state: Partition) -> None:
        self._reconciliation = reconciliation
        self._state = state
        self._suspicion: Suspicion | None = None
        self._told = NOTHING_TOLD
        self._next: float | None = float("-inf")
        """When to look (the loop's time); None once nothing differs."""

    async def look(self) -> None:
        """Compare, or compare again; does nothing once nothing differs.

        What differs is told, and compared anew each minute until it is mended.
        """
        now = asyncio.get_running_loop().time()
        if self._next is None or now < self._next:
            return
        try:
            found: Suspicion | Told | None
            if self._suspicion is None:
                found = await self._reconciliation.suspect(self._state)
            else:
                found = await self._reconciliation.look_again(
                    self._state, self._suspicion, self._told
                )
            self._suspicion = found if isinstance(found, Suspicion) else None
            self._told = found if isinstance(found, Told) else self._told
            if found is None:
                self._next = None
            elif isinstance(found, Told):
                self._next = now + AGAIN_SECONDS
        except (Unavailable, Refused) as error:
            log.info("awards cannot be compared yet", error=str(error))


class Reconciliation:
    """Compares partitions with the awards that are there."""

    def __init__(self, sink: Sink, alerts: Alerts, wal: Wal) -> None:
        self._sink = sink
        self._alerts = alerts
        self._wal = wal

    async def suspect(self, state: Partition) -> Suspicion | None:
        """Compare all mentors of a partition that has caught up. Raises Unavailable."""
        found = await self._differences(state, state.mentors)
        if found:
            return Suspicion(found, await self._wal.written())
        if found is not None:
            await self._alerts.resolve(KIND, subject=str(state.number))
        return None

    async def look_again(
        self, state: Partition, suspicion: Suspicion, told: Told = NOTHING_TOLD
    ) -> Suspicion | Told | None:
        """Compare again when nothing is left to fold; what is left to suspect. Raises Unavailable.

        Once the log has passed the suspicion's WAL position, a difference is an alert. One that was
        `told` of others is closed, and told anew.
        """
        if suspicion.wal > 0:
            # What Kafka has by now, the partition worker has heard of by the next look.
            passed = await self._wal.sent() >= suspicion.wal
            return Suspicion(suspicion.differences, 0) if passed else suspicion
        found = await self._differences(state, {mentor for mentor, _ in suspicion.differences})
        if found is None:
            return None
        lasting = {
            mentor
            for (mentor, badge), pair in suspicion.differences.items()
            if found.get((mentor, badge)) == pair
        }
        if not lasting or told not in (NOTHING_TOLD, Told(frozenset(lasting))):
            await self._alerts.resolve(KIND, subject=str(state.number))
        if not lasting:
            return None
        await self._tell(state, lasting)
        return Told(frozenset(lasting))

    async def _differences(self, state: Partition, mentors: Iterable[str]) -> Differences | None:
        """What differs; None when somebody else is ahead, so that the next turn will be fenced."""
        among = [mentor for mentor in mentors if mentor in state.mentors]
        rows = await self._sink.awards(state.log_id, state.number, among)
        if await self._sink.position(state.log_id, state.number) != state.position:
            return None
        found = {(row.peer_mentor_id, row.badge_definition_id): _bare(row) for row in rows}
        held = {
            (mentor, badge): _bare(award)
            for mentor in among
            if mentor in state.mentors
            for badge, award in state.mentors[mentor].ledger.held.items()
        }
        return {
            key: (held.get(key), found.get(key))
            for key in held.keys() | found.keys()
            if not _agree(held.get(key), found.get(key))
        }

    async def _tell(self, state: Partition, mentors: set[str]) -> None:
        log.error("awards differ from the log", partition=state.number, mentors=len(mentors))
        await self._alerts.raise_alert(
            KIND,
            {
                "message": f"badge_awards of {len(mentors)} mentors differ from what the log says; "
                "nothing was changed",
                "mentors": sorted(mentors)[:NAMED_AT_MOST],
            },
            subject=str(state.number),
        )


def _agree(held: Award | None, found: Award | None) -> bool:
    """Whether they say the same, a date aside that the log does not say."""
    if held is None or found is None:
        return held is found
    said: dict[str, Day | None] = {"earned_on": found.earned_on} if held.earned_on is None else {}
    if held.tier is not None and held.tier_earned_on is None:
        said["tier_earned_on"] = found.tier_earned_on
    return msgspec.structs.replace(held, **said) == found


def _bare(award: Award) -> Award:
    """What its row says, but for who wrote it last, and when: the worker and a person may agree."""
    unsaid = {"changed_in": None, "derived_on": None, "tier_version": None}
    return msgspec.structs.replace(award, changed_by="", **unsaid)
