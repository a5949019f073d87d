"""Whether what the fold holds is what badge_awards has, once a partition has caught up.

A row that somebody has just changed differs until its record has come round through the log. So a
difference counts only if the very same is still there when the log has everything up to a moment
after it was seen first, and its worker has folded all of it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Final, TypeAlias

import msgspec.structs
import structlog

from sinks.alerts import Alerts
from sinks.base import Sink
from sinks.errors import StoreError
from sinks.failures import translated
from streams.partition import Partition
from tables.types import Award, Day

KIND: Final = "awards_differ"
NAMED_AT_MOST = 20
AGAIN_SECONDS = 60.0
"""How long after it was told a difference is looked for again."""

log = structlog.get_logger(__name__)


_Differences: TypeAlias = dict[tuple[str, str], tuple[Award | None, Award | None]]
"""By mentor and definition: what the fold holds, and what was found."""


class Reconciliation:
    """Compares one partition, once it has caught up: `look` while nothing is left to fold.

    It takes several looks, because a difference may only be on its way through the log. What
    differs is told, and compared anew each minute until it is mended.
    """

    def __init__(
        self,
        sink: Sink,
        alerts: Alerts,
        wal_written: Callable[[], Awaitable[int]],
        wal_sent: Callable[[], Awaitable[int]],
        state: Partition,
    ) -> None:
        """How far the database's log is written, and how far it has come to Kafka, is in bytes."""
        self._sink = sink
        self._alerts = alerts
        self._wal_written = wal_written
        self._wal_sent = wal_sent
        self._state = state
        # What differed at the first comparison; None before that.
        self._seen: _Differences | None = None
        # The WAL position that the log has to pass before that counts, in bytes; then 0.
        self._until = 0
        # Whose awards an open alert is about.
        self._told: set[str] = set()
        # When to look (the loop's time); None once nothing differs.
        self._next: float | None = float("-inf")

    async def look(self) -> None:
        """Go one step on, if it is time for that; does nothing once nothing differs."""
        now = asyncio.get_running_loop().time()
        if self._next is None or now < self._next:
            return
        try:
            with translated():
                if self._seen is None:
                    await self._compare_all()
                elif not self._until:
                    await self._compare_again(self._seen, now)
                elif await self._wal_sent() >= self._until:
                    # What Kafka has by now, the partition worker has heard of by the next look.
                    self._until = 0
        except StoreError as error:
            log.info("awards cannot be compared yet", error=str(error))

    async def _compare_all(self) -> None:
        found = await self._differences(self._state.mentors)
        if found:
            # The WAL's end is read after the rows: what has changed them lies before it.
            self._seen, self._until = found, await self._wal_written()
            return
        if found is not None:
            await self._alerts.resolve(KIND, subject=str(self._state.number))
        self._next = None

    async def _compare_again(self, seen: _Differences, now: float) -> None:
        found = await self._differences({mentor for mentor, _ in seen})
        if found is None:
            self._next = None
            return
        # Only what is still the very same cannot have been a row on its way.
        lasting = {
            mentor for (mentor, badge), pair in seen.items() if found.get((mentor, badge)) == pair
        }
        if not lasting or self._told not in (set(), lasting):
            await self._alerts.resolve(KIND, subject=str(self._state.number))
        if lasting:
            await self._tell(lasting)
        self._seen, self._told = None, lasting or self._told
        self._next = now + AGAIN_SECONDS if lasting else None

    async def _differences(self, mentors: Iterable[str]) -> _Differences | None:
        """What differs; None when somebody else is ahead, so that the next turn will be fenced."""
        state = self._state
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

    async def _tell(self, mentors: set[str]) -> None:
        partition = self._state.number
        log.error("awards differ from the log", partition=partition, mentors=len(mentors))
        await self._alerts.raise_alert(
            KIND,
            {
                "message": f"badge_awards of {len(mentors)} mentors differ from what the log says; "
                "nothing was changed",
                "mentors": sorted(mentors)[:NAMED_AT_MOST],
            },
            subject=str(partition),
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
