"""Whether turns may be written: the log's integrity, looked at each second and when in doubt."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog

from sinks.alerts import BREAKS, Alerts, BreakKind
from sinks.errors import StoreError
from sinks.looks import Looks, OneAlert, tell_found
from streams.errors import TOLD, GenerationClosed, LogBroken

CHECK_SECONDS = 1.0
PATIENT_LOOKS = 15
"""So many looks in a row may fail before that is an alert: Kafka restarts in less."""
PATIENT_LOOKS_AT_POSTGRES = 8
"""So many where it is Postgres that does not answer, which restarts in less."""

_MENDABLE: tuple[BreakKind, ...] = ("topic_settings", "column_renamed")
"""What is open of these when the log is broken for good is not what has to be told."""

_UNREACHABLE: Final = "log_unreachable"
"""The alert of Kafka or Postgres not answering a look."""

LOOKED: Final = "looked at the log's integrity"
"""What a worker logs at level DEBUG when it knows what is broken, or that nothing is."""

log = structlog.get_logger(__name__)


class WriteGuard:
    """Open while the last look found nothing broken, and no connection was lost since it began."""

    def __init__(
        self,
        look: Callable[[bool], Awaitable[LogBroken | None]],
        mark_broken: Callable[[LogBroken], Awaitable[bool]],
        alerts: Alerts,
    ) -> None:
        """`look` gives what is broken, or None, and raises while it cannot tell.

        It is asked to read the log's last decided records again when a connection was lost.
        `mark_broken` notes for every worker that the log contradicts itself.
        """
        self._look = look
        self._mark_broken = mark_broken
        self._alerts = alerts
        self._open = asyncio.Event()
        self._asked = asyncio.Event()
        # Suspicions are counted, not flagged: one that comes while a look is under way must not be
        # taken back by that look, which may have asked before the connection was lost.
        self._suspicions = 0
        # How many suspicions there were when the last records were last found in their places.
        self._reread_at = -1
        self._broken = OneAlert(alerts, *BREAKS)
        self._unreachable = OneAlert(alerts, _UNREACHABLE)
        self._told: LogBroken | None = None
        self._failures = Looks()
        self._one_judgement = asyncio.Lock()
        # What was found for good, whatever later looks find.
        self._sealed: LogBroken | None = None

    async def passed(self) -> None:
        await self._open.wait()

    def suspect(self) -> None:
        """A connection was lost: nothing is written before the integrity was looked at again."""
        self._suspicions += 1
        self._open.clear()
        self._asked.set()

    async def broken(self, error: LogBroken) -> None:
        """The log contradicts itself: stay closed. Returns only by being cancelled."""
        # A look compares settings and offsets, and may find nothing of what a record contradicts.
        self._sealed = self._sealed or error
        noted = await self._mark_broken(error)
        await self._judge(error, self._suspicions)
        while not noted:
            # Else a worker that begins finds the log whole, and writes from it.
            await asyncio.sleep(CHECK_SECONDS)
            noted = await self._mark_broken(error)
        await asyncio.Event().wait()

    async def watch(self) -> None:
        """Look each second, for good; nothing is patched here, only told."""
        while True:
            # Both before the look: what is suspected from here on asks for another one.
            suspicions = self._suspicions
            self._asked.clear()
            try:
                found = await self._look(suspicions != self._reread_at)
            except GenerationClosed:
                raise
            except Exception as error:
                # Whatever does not answer may answer next as another one.
                self.suspect()
                await self._cannot_look(error)
                await asyncio.sleep(CHECK_SECONDS)
                continue
            self._failures.found(None)
            self._reread_at = suspicions
            await self._unreachable.close()
            await self._judge(found, suspicions)
            log.debug(LOOKED, kind=found.kind if found else None, open=self._open.is_set())
            with suppress(TimeoutError):
                async with asyncio.timeout(CHECK_SECONDS):
                    await self._asked.wait()

    async def _judge(self, found: LogBroken | None, suspicions: int) -> None:
        # Looks and partition workers judge at once; what one tells must not close another's alert.
        async with self._one_judgement:
            if found is not None:
                self._open.clear()
                if self._sealed in (None, found):
                    await self._tell(found)
            elif not self._sealed and suspicions == self._suspicions:
                await self._broken.close()
                self._told = None
                self._open.set()

    async def _tell(self, found: LogBroken) -> None:
        if self._has_told(found):
            return
        detail = {"message": str(found)}
        if not found.lasting and found.kind != TOLD:
            try:
                opened = await self._alerts.opened(found.kind)
            except StoreError as error:
                log.warning("cannot see which alerts are open, looking again", error=str(error))
                return
            # One that an earlier process has left open may say something else.
            await tell_found(self._alerts, found.kind, opened, {"": detail})
        self._told = found
        log.error("the log is broken, nothing is written", kind=found.kind, reason=str(found))
        if found.kind == TOLD:
            # Whoever found it has told it; what can be mended is not what has to be told now.
            for kind in _MENDABLE:
                await self._alerts.resolve(kind)
            return
        await self._broken.open(found.kind, detail)

    def _has_told(self, found: LogBroken) -> bool:
        """Whether that is what was told last; of what lasts the first words count."""
        if self._told is None or self._told.kind != found.kind:
            return False
        return found.lasting or str(found) == str(self._told)

    async def _cannot_look(self, error: Exception) -> None:
        log.warning("the log's integrity cannot be looked at", error=str(error))
        at_postgres = isinstance(error, StoreError)
        patience = PATIENT_LOOKS_AT_POSTGRES if at_postgres else PATIENT_LOOKS
        if self._failures.found(_UNREACHABLE) % patience == 0:
            await self._unreachable.open(
                _UNREACHABLE, {"message": f"nothing is written while this cannot be asked: {error}"}
            )
