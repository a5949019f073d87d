"""Alerts: each is a row of badge_alerts first, so that people, webhooks and metrics find it."""

import asyncio
import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Literal, Protocol, TypeAlias, get_args

import msgspec
import structlog
from msgspec import Struct

from sinks.errors import Disconnected, Refused, StoreError
from sinks.failures import translated
from sinks.polling import POLL_S
from sinks.pool import Pool
from sinks.queries import QUERIES

log = structlog.get_logger(__name__)

PATIENCE = 5.0
"""Seconds that one alert may keep its caller waiting."""

_LAST_S = 30.0
"""How long who ends waits for its alerts to be written."""

WRITE_AGAIN_SECONDS = 2.0
"""How long what could not be written waits to be tried again, while nobody tells anything."""

REFUSED_AGAIN_SECONDS = 20.0
"""How long an alert waits that Postgres refuses: an application's trigger does so, say."""

REST = 4
"""What takes its time to fail (a lock, say) is left alone for so many times as long."""

BreakKind: TypeAlias = Literal[
    "other_database",
    "topic_missing",
    "topic_replaced",
    "partitions_changed",
    "topic_settings",
    "log_cut",
    "log_short",
    "slot_missing",
    "slot_lost",
    "offsets_lost",
    "snapshot_again",
    "slot_ahead",
    "database_behind",
    "snapshot_row",
    "source_changed",
    "column_renamed",
    "column_missing",
    "replica_identity",
    "value_missing",
    "mentor_missing",
    "log_rewritten",
]
"""The log no longer says all that the database did, so nothing is written."""

OutageKind: TypeAlias = Literal[
    "connect_away", "connector_missing", "connector_failed", "connector_idle"
]
"""No new rows arrive, and Postgres keeps WAL."""

_DataKind: TypeAlias = Literal[
    "dead_letters",
    "write_refused",
    "turn_stalled",
    "rule_unknown",
    "versions_differ",
    "definition_invalid",
    "time_zone",
    "constraint_missing",
    "duplicate_awards",
    "audit_differs",
    "awards_differ",
    "slot_left_over",
    "evaluator_changed",
]
"""Something in the database, or of what arrives, needs a person; the rest goes on."""

AlertKind: TypeAlias = Literal[
    BreakKind, OutageKind, _DataKind, "log_unreachable", "partition_failed", "nobody_works"
]
"""Every kind of alert; docs/operating/alerts.md says what to do about each."""

BREAKS: tuple[BreakKind, ...] = get_args(BreakKind)
OUTAGES: tuple[OutageKind, ...] = get_args(OutageKind)
ALERTS: tuple[AlertKind, ...] = get_args(AlertKind)
PARTITIONS: tuple[AlertKind, ...] = (
    "awards_differ",
    "partition_failed",
    "turn_stalled",
    "dead_letters",
)
"""Those whose subject may be a partition of the live generation."""

PARTITION_SUBJECT = r"^(?:partition )?([0-9]+)$"
"""Such subjects, for Postgres as well."""


def standing(partition: int) -> str:
    """The subject of the alert that a partition stands still."""
    return f"partition {partition}"


def partition_in(subject: str) -> int | None:
    """The partition that is the subject of an alert, if it is one."""
    found = re.match(PARTITION_SUBJECT, subject)
    return int(found[1]) if found else None


class Alerts(Protocol):
    """Where alerts go. One is open at most of each kind and subject; to tell never raises."""

    async def raise_alert(
        self, kind: AlertKind, detail: Mapping[str, object], *, subject: str = ""
    ) -> None:
        """Open an alert; does nothing while one of that kind and subject is open."""
        ...

    async def resolve(self, kind: AlertKind, *, subject: str = "") -> None:
        """Close the open alert of that kind and subject, if there is one."""
        ...

    async def opened(self, kind: AlertKind) -> Mapping[str, Mapping[str, object]]:
        """The detail of each open alert of a kind, by subject. Raises Unavailable or Refused."""
        ...


class _Unwritten(Struct):
    """What is to be done about one kind and subject."""

    steps: list[Mapping[str, object] | None]
    """Details of alerts to open, in their order; None closes."""
    due: float = 0.0
    """When it is to be tried (the loop's time)."""
    logged: bool = False
    error: str = ""
    """Why it could not be written."""


class PostgresAlerts:
    """Alerts in badge_alerts. What cannot be written now is logged, each kind and subject once.

    It is tried again by `keep_writing`, and at the next call: what is refused, or takes long to
    fail, after a while, so that none keeps the others waiting. An alert that is over by then is
    written all the same, and closed: a webhook hangs on it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._unwritten: dict[tuple[AlertKind, str], _Unwritten] = {}
        self._in_order = asyncio.Lock()

    @property
    def unwritten(self) -> list[AlertKind]:
        """The kinds of alerts that are open and no rows yet, one for each alert. Of any thread."""
        waiting = list(self._unwritten.items())
        return [kind for (kind, _), each in waiting if each.steps and each.steps[-1] is not None]

    async def raise_alert(
        self, kind: AlertKind, detail: Mapping[str, object], *, subject: str = ""
    ) -> None:
        self._add(kind, subject, detail)
        await self._write()

    async def resolve(self, kind: AlertKind, *, subject: str = "") -> None:
        self._add(kind, subject, None)
        await self._write()

    async def opened(self, kind: AlertKind) -> Mapping[str, Mapping[str, object]]:
        with translated():
            rows = await self._pool.fetch(QUERIES["open_alerts"], kind, timeout=PATIENCE)
        return {row["subject"]: row["detail"] for row in rows}

    async def keep_writing(self) -> None:
        """Try again every few seconds what could not be written; never returns."""
        while True:
            await asyncio.sleep(WRITE_AGAIN_SECONDS)
            if self._unwritten:
                await self._write()

    async def finish(self, within: float = _LAST_S) -> bool:
        """Try for so many seconds to write what is left; who ends leaves nobody to write it.

        What cannot be written by then is logged; whether there is nothing.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                while self._unwritten:
                    await asyncio.sleep(POLL_S)
                    await self._write()
        for (kind, subject), each in self._unwritten.items():
            log.error("the alert may stay as it is", kind=kind, subject=subject, error=each.error)
        return not self._unwritten

    async def _write(self) -> None:
        async with self._in_order:
            await self._write_all()

    def _add(self, kind: AlertKind, subject: str, detail: Mapping[str, object] | None) -> None:
        """Note what is to be done: one opening, and what it is between, says as much as many."""
        steps = self._unwritten.setdefault((kind, subject), _Unwritten([])).steps
        if not steps or (steps[-1] is None) != (detail is None):
            steps.append(detail)
        del steps[:-3]

    async def _write_all(self) -> None:
        """Try what is due, what has not failed yet first, for as long as a caller may wait."""
        clock = asyncio.get_running_loop().time
        began = clock()
        for key, unwritten in sorted(self._unwritten.items(), key=lambda item: item[1].due):
            tried_at = clock()
            if unwritten.due > began or tried_at - began > PATIENCE:
                return
            try:
                await self._write_steps(key, unwritten.steps)
            except StoreError as error:
                unwritten.error = str(error)
                is_refused = isinstance(error, Refused)
                rest = REFUSED_AGAIN_SECONDS if is_refused else REST * (clock() - tried_at)
                unwritten.due = clock() + rest
                self._log_unwritten(key, error)
                if isinstance(error, Disconnected):
                    # The others would fail of the same, and this one tells nothing of them.
                    for each in self._unwritten:
                        self._log_unwritten(each, error)
                    return
            else:
                del self._unwritten[key]

    async def _write_steps(
        self, key: tuple[AlertKind, str], steps: list[Mapping[str, object] | None]
    ) -> None:
        while steps:
            detail = steps[0]
            with translated():
                await self._write_one(*key, detail)
            if steps and steps[0] is detail:
                del steps[0]

    def _log_unwritten(self, key: tuple[AlertKind, str], error: Exception) -> None:
        unwritten = self._unwritten[key]
        detail = next((step for step in unwritten.steps if step is not None), None)
        if detail is None or unwritten.logged:
            return
        unwritten.logged = True
        kind, subject = key
        log.error(
            "alert not written yet", kind=kind, subject=subject, detail=detail, error=str(error)
        )

    async def _write_one(
        self, kind: AlertKind, subject: str, detail: Mapping[str, object] | None
    ) -> None:
        if detail is None:
            await self._pool.execute(QUERIES["resolve_alert"], kind, subject, timeout=PATIENCE)
            return
        whole = msgspec.to_builtins(
            {**detail, "subject": subject} if subject else detail, enc_hook=str
        )
        if await self._pool.fetchval(QUERIES["raise_alert"], kind, whole, timeout=PATIENCE):
            log.error("alert", kind=kind, detail=whole)
