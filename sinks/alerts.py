"""Alerts: each is a row of badge_alerts first, so that people, webhooks and metrics find it."""

import asyncio
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, Protocol, TypeAlias, get_args

import msgspec
import structlog
from msgspec import Struct

from sinks.base import Unavailable
from sinks.failures import Refused, translated
from sinks.pool import Pool
from sinks.queries import QUERIES

log = structlog.get_logger(__name__)

PATIENCE = 5.0
"""Seconds that one alert may keep its caller waiting."""

WRITE_AGAIN_SECONDS = 2.0
"""How long what could not be written waits to be tried again, while nobody tells anything."""

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
"""The log is not the whole story any more, so nothing is written."""

OutageKind: TypeAlias = Literal[
    "connect_away", "connector_missing", "connector_failed", "connector_idle"
]
"""No new rows arrive, and Postgres keeps WAL."""

DataKind: TypeAlias = Literal[
    "dead_letters",
    "write_refused",
    "turn_stalled",
    "rule_unknown",
    "versions_differ",
    "definition_invalid",
    "time_zone",
    "constraint_missing",
    "duplicate_awards",
    "awards_differ",
]
"""Something in the database, or of what arrives, needs a person; the rest goes on."""

AlertKind: TypeAlias = Literal[
    BreakKind, OutageKind, DataKind, "log_unreachable", "partition_failed", "nobody_works"
]
"""Every kind of alert; docs/operations.md says what to do about each."""

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
    """Where alerts go. One is open at most of each kind and subject; neither call ever raises."""

    async def raise_alert(
        self, kind: AlertKind, detail: Mapping[str, object], *, subject: str = ""
    ) -> None:
        """Open an alert; does nothing while one of that kind and subject is open."""
        ...

    async def resolve(self, kind: AlertKind, *, subject: str = "") -> None:
        """Close the open alert of that kind and subject, if there is one."""
        ...


class OpenAlerts(Alerts, Protocol):
    """Alerts that can be looked through."""

    async def opened(self, kind: AlertKind) -> Mapping[str, Mapping[str, object]]:
        """The detail of each open alert of a kind, by subject. Raises Unavailable or Refused."""
        ...


class PostgresAlerts:
    """Alerts in badge_alerts. What cannot be written now is logged, each kind and subject once.

    It is tried again at the next call, and by `keep_writing`. An alert that is over by then is
    written all the same, and closed: a webhook hangs on it.
    """

    def __init__(self, pool: Pool) -> None:
        self._pool = pool
        self._unwritten: dict[tuple[AlertKind, str], list[Mapping[str, object] | None]] = {}
        """What is to be done about each kind and subject, in its order; None closes."""
        self._logged: set[tuple[AlertKind, str]] = set()
        """Of what is unwritten, what the log has told of."""
        self._in_order = asyncio.Lock()

    async def raise_alert(
        self, kind: AlertKind, detail: Mapping[str, object], *, subject: str = ""
    ) -> None:
        """Open an alert; does nothing while one of that kind and subject is open."""
        self._add(kind, subject, detail)
        await self._write()

    async def resolve(self, kind: AlertKind, *, subject: str = "") -> None:
        """Close the open alert of that kind and subject, if there is one."""
        self._add(kind, subject, None)
        await self._write()

    async def opened(self, kind: AlertKind) -> Mapping[str, Mapping[str, object]]:
        """The detail of each open alert of a kind, by subject. Raises Unavailable or Refused."""
        with translated():
            rows = await self._pool.fetch(QUERIES["open_alerts"], kind, timeout=PATIENCE)
        return {row["subject"]: row["detail"] for row in rows}

    async def keep_writing(self) -> None:
        """Try again every few seconds what could not be written; never returns."""
        while True:
            await asyncio.sleep(WRITE_AGAIN_SECONDS)
            if self._unwritten:
                await self._write()

    async def _write(self) -> None:
        async with self._in_order:
            await self._write_all()

    def _add(self, kind: AlertKind, subject: str, detail: Mapping[str, object] | None) -> None:
        """Note what is to be done: one opening, and what it is between, says as much as many."""
        steps = self._unwritten.setdefault((kind, subject), [])
        if not steps or (steps[-1] is None) != (detail is None):
            steps.append(detail)
        del steps[:-3]

    async def _write_all(self) -> None:
        for key, steps in list(self._unwritten.items()):
            while steps:
                detail = steps[0]
                try:
                    with translated():
                        await self._write_one(*key, detail)
                except Unavailable as error:
                    self._log_unwritten(error)
                    return
                except Refused as error:
                    log.error("alert refused", kind=key[0], detail=detail, error=str(error))
                if steps and steps[0] is detail:
                    del steps[0]
            if not self._unwritten.get(key):
                self._unwritten.pop(key, None)
                self._logged.discard(key)

    def _log_unwritten(self, error: Unavailable) -> None:
        """Tell the log at once of all that waits: what stands first says nothing of the rest."""
        for key, steps in self._unwritten.items():
            detail = next((step for step in steps if step is not None), None)
            if detail is not None and key not in self._logged:
                self._logged.add(key)
                kind, subject = key
                log.error(
                    "alert not written yet",
                    kind=kind,
                    subject=subject,
                    detail=detail,
                    error=str(error),
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


class MemoryAlert(Struct):
    """An alert that MemoryAlerts holds; it is open while `resolved_at` is None."""

    kind: AlertKind
    subject: str
    detail: Mapping[str, object]
    at: datetime
    resolved_at: datetime | None = None


class MemoryAlerts:
    """Alerts in a list, for tests."""

    def __init__(self) -> None:
        self.alerts: list[MemoryAlert] = []

    async def raise_alert(
        self, kind: AlertKind, detail: Mapping[str, object], *, subject: str = ""
    ) -> None:
        """Open an alert; does nothing while one of that kind and subject is open."""
        if self._open(kind, subject) is None:
            self.alerts.append(MemoryAlert(kind, subject, detail, datetime.now(UTC)))

    async def resolve(self, kind: AlertKind, *, subject: str = "") -> None:
        """Close the open alert of that kind and subject, if there is one."""
        alert = self._open(kind, subject)
        if alert is not None:
            alert.resolved_at = datetime.now(UTC)

    async def opened(self, kind: AlertKind) -> Mapping[str, Mapping[str, object]]:
        """The detail of each open alert of a kind, by subject."""
        return {
            alert.subject: {**alert.detail, **({"subject": alert.subject} if alert.subject else {})}
            for alert in self.alerts
            if alert.kind == kind and alert.resolved_at is None
        }

    def _open(self, kind: AlertKind, subject: str) -> MemoryAlert | None:
        same = (a for a in self.alerts if (a.kind, a.subject) == (kind, subject))
        return next((alert for alert in same if alert.resolved_at is None), None)
