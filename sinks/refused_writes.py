"""What keeps a worker from going on: told as alerts, which are closed when it is over.

A turn that cannot be written stands still, and with it the partition. Something that Postgres
refuses waits beside the partition, which goes on; it is tried again with every turn, and here while
there is none.
"""

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Final

import structlog

from sinks.alerts import Alerts
from sinks.base import Change, Outcome, Position, Sink, Waiting
from sinks.errors import Fenced, StoreError, Unavailable
from sinks.failures import LONGEST_MESSAGE
from sinks.looks import OneAlert, tell_found

STALLED: Final = "turn_stalled"
REFUSED: Final = "write_refused"

STALLED_SECONDS = 30.0
"""How long a turn may be tried before that is an alert."""
_SLOWER = 5
"""So many times longer is the pause between two tries once that has been told."""
RETRY_SECONDS = 2.0
"""How long what is refused waits while there is no turn, and how often it is told at most."""
_OTHERS_SECONDS: Final = 60.0
"""How often it is asked, where nothing waits, whether a replay has written meanwhile."""

_OF_ONE_TRY = re.compile(r"[\w.:-]*\d[\w.:-]*")
"""Ids, times and numbers: a reason that differs in them alone is the same one."""

_NOTHING_MORE: Mapping[str, object] = MappingProxyType({})

log = structlog.get_logger(__name__)


class Stall:
    """Something that is tried again and again, such as one partition's turn that is not written."""

    def __init__(
        self,
        subject: str,
        stands: str,
        alerts: Alerts,
        detail: Mapping[str, object] = _NOTHING_MORE,
    ) -> None:
        """`stands` says what stands still; `detail` is for the alert, beside what it has itself."""
        self._stands = stands
        self._alert = OneAlert(alerts, STALLED, subject=subject)
        self._detail = detail
        self._lasted = 0.0

    async def failed(self, error: StoreError, began: float, pause: float) -> float:
        """A try that began then (the loop's time) has failed; how long to wait before the next.

        What was spent in waiting for the log's integrity does not count: that has its own alerts.
        """
        pause *= _SLOWER if self._alert.told else 1
        self._lasted += asyncio.get_running_loop().time() - began + pause
        if self._lasted >= STALLED_SECONDS:
            # Told again and again, for somebody may have closed it.
            self._lasted = 0.0
            message = f"{self._stands}: {error}"[:LONGEST_MESSAGE]
            detail = {"message": message, "sqlstate": error.sqlstate, **self._detail}
            await self._alert.open(STALLED, detail)
        return pause

    async def over(self) -> None:
        self._lasted = 0.0
        await self._alert.close()


class RefusedWrites:
    """What waits of one partition, because Postgres refuses to write it."""

    def __init__(
        self,
        partition: int,
        sink: Sink,
        alerts: Alerts,
        accepted: Callable[[Sequence[Change]], None],
    ) -> None:
        """`accepted` hears of what was written without a turn, as soon as that is committed."""
        self._partition = partition
        self._sink = sink
        self._alerts = alerts
        self._accepted = accepted
        self._waits = True  # until the first look
        self._looked_at = self._asked_at = float("-inf")

    async def after(self, outcome: Outcome) -> None:
        changed = bool(outcome.refused) or outcome.waits != self._waits
        self._waits = outcome.waits
        if changed or (self._waits and self._is_time()):
            await self._tell()

    async def try_again(self, log_id: str, position: Position) -> None:
        """Write what is accepted by now; the partition is at `position`. Raises Fenced."""
        if not self._waits:
            await self._see_others(log_id, position)
            return
        if not self._is_time():
            return
        try:
            outcome = await self._sink.retry(log_id, self._partition, position)
        except Unavailable as error:
            log.info("what waits cannot be tried again yet", error=str(error))
        else:
            self._waits = outcome.waits
            self._accepted(outcome.accepted)
        await self._tell()

    async def _see_others(self, log_id: str, position: Position) -> None:
        """Raise Fenced where a replay has written meanwhile: what it was refused waits for us.

        Who has turns to write is told by the next one.
        """
        now = asyncio.get_running_loop().time()
        if now - self._asked_at < _OTHERS_SECONDS:
            return
        self._asked_at = now
        try:
            found = await self._sink.position(log_id, self._partition)
        except StoreError as error:
            log.info("whether anybody else has written cannot be told yet", error=str(error))
            return
        if found not in (None, position):
            raise Fenced(f"partition {self._partition} of log {log_id} is not at {position}")

    def _is_time(self) -> bool:
        return asyncio.get_running_loop().time() - self._looked_at >= RETRY_SECONDS

    async def _tell(self) -> None:
        self._looked_at = asyncio.get_running_loop().time()
        try:
            await tell_waiting(self._sink, self._alerts)
        except StoreError as error:
            log.info("what waits cannot be told yet", error=str(error))


async def tell_waiting(sink: Sink, alerts: Alerts) -> None:
    """Open an alert for each reason why anything waits anywhere, and close those of no more.

    One whose reason has become another is closed, and told anew.

    Every worker does so again and again: one that sees nothing more may close an alert just as
    another needs it. Raises Unavailable or Refused.
    """
    # In this order: what another has closed by now does not wait any more.
    opened = await alerts.opened(REFUSED)
    waiting = {each.subject: _detail(each) for each in await sink.waiting()}
    await tell_found(alerts, REFUSED, opened, waiting, _reason)


def _reason(detail: Mapping[str, object]) -> tuple[object, str]:
    """What is refused for: the SQLSTATE, and the words without what is of one try or row alone."""
    return detail.get("sqlstate"), _OF_ONE_TRY.sub("", str(detail.get("reason")))


def _detail(waiting: Waiting) -> dict[str, object]:
    by = f" ({waiting.refused_by})" if waiting.refused_by else ""
    message = (
        "Postgres refuses to write what was decided; it waits in badge_refused_writes, and is "
        f"written as soon as it is accepted: {waiting.message}{by}"
    )
    if not waiting.count:
        message = (
            f"{waiting.message}: turns are written more slowly, or stand still; "
            "`badges migrate --check` prints the statement that mends it"
        )
    return {
        "message": message,
        "sqlstate": waiting.sqlstate,
        "reason": waiting.message,
        "refused_by": waiting.refused_by,
        "badge_definition_id": waiting.badge_definition_id,
        "organizations": waiting.organizations,
        "waiting": waiting.count,
        "since": waiting.since,
    }
