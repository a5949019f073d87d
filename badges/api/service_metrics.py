"""Metrics of the whole service, kept beside requests: those never wait for Postgres or Kafka.

While Postgres is away, what only it knows says what it said; how far behind the awards are is not
known then, and says so.
"""

import asyncio
import time
from collections import Counter
from functools import partial
from math import nan
from typing import Final, NoReturn, get_args

import structlog

from badges.api import metrics
from badges.api.history import History
from badges.api.overview import Overview
from badges.api.shared import Shared
from badges.queries import overview as queries
from badges.queries.audit.findings import FindingKind
from sinks.alerts import ALERTS, AlertKind, PostgresAlerts
from sinks.errors import StoreError
from sinks.failures import translated
from sinks.pool import Pool
from streams.lag.backfill import Backfill
from streams.lag.stages import Lag
from streams.log import generations
from streams.log.generations import Generation
from streams.log.wal import Slot, insert_lsn, read_slot
from streams.metrics import ALERTS_OPEN

_MEASURE_EVERY_S: Final = 2.0
_LOOK_EVERY_S: Final = 5.0
_PATIENCE_S: Final = 5.0
"""How long one look at the database may take."""

_SILENT_DAYS: Final = (7, 30, 90, 365)

log = structlog.get_logger(__name__)


class ServiceMetrics:
    """Keeps the metrics of the whole service, by one measurement and one look after another."""

    def __init__(
        self, pool: Pool, history: History, overview: Shared[Overview], alerts: PostgresAlerts
    ) -> None:
        self._pool = pool
        self._history = history
        self._overview = overview
        self._alerts = alerts
        self._generation: Generation | None = None
        self._rows = Counter[str]()
        """Alerts that are open, by the rows that were seen last."""
        for kind in ALERTS:
            ALERTS_OPEN.labels(kind).set_function(partial(self._open, kind))
        _set_unknown()
        _set_slot(None, None, 0)
        # What was not measured yet is no reason for an alarm.
        metrics.ON_TIME.set(nan)

    async def measure(self) -> NoReturn:
        """Measure how far behind the awards are, every few seconds, for good.

        The history is kept by this too: it goes on while nobody asks.
        """
        while True:
            try:
                found = await self._history.measure()
            except Exception as error:
                _set_unknown()
                log.info("how far behind the awards are cannot be told", error=repr(error))
            else:
                _set_lag(found, self._generation)
            metrics.LAG_MEASURED.set(time.time())
            await asyncio.sleep(_MEASURE_EVERY_S)

    async def look(self) -> NoReturn:
        """Look at what only the database knows, every few seconds, for good."""
        while True:
            try:
                with translated():
                    async with asyncio.timeout(_PATIENCE_S):
                        await self._look()
            except StoreError as error:
                _set_slot(None, None, 0)
                log.info("what metrics tell of the database cannot be read", error=str(error))
            await asyncio.sleep(_LOOK_EVERY_S)

    async def _look(self) -> None:
        pool = self._pool
        found = await self._overview.now()
        self._rows = Counter({each.kind: each.count for each in found.alerts})
        _set_definitions(found.definitions)
        metrics.REFUSED_WAITING.set(found.refused_writes)
        _set_audit(found.last_audit)
        self._generation = live = await generations.live(pool)
        slot = await read_slot(pool, live.slot) if live else None
        _set_slot(live, slot, await insert_lsn(pool))
        _set_silence([*await queries.days_since_awards(pool)])

    def _open(self, kind: AlertKind) -> int:
        # One that is told again while Postgres is away may be there already.
        return max(self._rows[kind], self._alerts.unwritten.count(kind))


def _set_lag(lag: Lag, generation: Generation | None) -> None:
    metrics.ON_TIME.set(lag.on_time)
    metrics.LAG_SECONDS.set(_number(lag.behind_seconds))
    metrics.LAG_RECORDS.set(_number(lag.behind_records))
    # Partitions and topics that are no more have no label left.
    for gauge in (metrics.PARTITION_SECONDS, metrics.BEHIND, metrics.GROUP_LAG):
        gauge.clear()
    for stage in lag.stages:
        metrics.STAGE_SECONDS.labels(stage.name).set(_number(stage.behind_seconds))
        metrics.STAGE_OK.labels(stage.name).set(stage.state == "ok")
    for each in lag.partitions:
        metrics.PARTITION_SECONDS.labels(each.partition).set(_number(each.behind_seconds))
        metrics.BEHIND.labels(each.partition).set(each.behind_records)
        if generation is not None:
            where = generation.group, generation.topic, each.partition
            metrics.GROUP_LAG.labels(*where).set(each.behind_records)
    metrics.WORKERS.set(nan if "kafka" in lag.unreachable else len(lag.workers))
    if "slot" not in lag.unreachable:
        _set_backfill(lag.backfill or Backfill(0, len(lag.partitions), 0, 0.0))


def _set_backfill(under_way: Backfill) -> None:
    metrics.BACKFILL_DEFINITIONS.set(under_way.definitions)
    metrics.BACKFILL_PARTITIONS_DONE.set(under_way.partitions_done)
    metrics.BACKFILL_SECONDS_LEFT.set(_number(under_way.seconds_left))


def _set_unknown() -> None:
    """Say that nothing is known, and so nothing is on time."""
    metrics.ON_TIME.set(0)
    for gauge in (metrics.LAG_SECONDS, metrics.LAG_RECORDS, metrics.WORKERS):
        gauge.set(nan)
    for gauge in (
        metrics.STAGE_SECONDS, metrics.STAGE_OK, metrics.PARTITION_SECONDS, metrics.BEHIND,
        metrics.GROUP_LAG,
    ):  # fmt: skip
        gauge.clear()


def _set_slot(generation: Generation | None, slot: Slot | None, written: int) -> None:
    """Tell of the live log's slot; without a generation that nothing is known of any."""
    metrics.PG_SLOTS_ACTIVE.clear()
    if generation is None:
        for gauge in (metrics.SLOT_ACTIVE, metrics.SLOT_UNCONFIRMED, metrics.SLOT_RETAINED):
            gauge.set(nan)
        return
    active = slot is not None and slot.active
    metrics.SLOT_ACTIVE.set(active)
    metrics.PG_SLOTS_ACTIVE.labels(generation.slot).set(active)
    metrics.SLOT_UNCONFIRMED.set(_less(written, slot.confirmed if slot else None))
    metrics.SLOT_RETAINED.set(_less(written, slot.restart if slot else None))


def _set_definitions(found: queries.Definitions) -> None:
    for state in ("active", "draft", "retired", "raw", "invalid"):
        metrics.DEFINITIONS.labels(state).set(getattr(found, state))


def _set_silence(days: list[float]) -> None:
    for limit in _SILENT_DAYS:
        metrics.RULES_SILENT.labels(limit).set(sum(each > limit for each in days))
    metrics.RULE_SILENT_DAYS.set(max(days, default=0))


def _set_audit(newest: queries.LastAudit | None) -> None:
    if newest is not None:
        metrics.AUDIT_FINISHED.set(newest.finished_at.timestamp())
        for kind in get_args(FindingKind):
            metrics.AUDIT_FINDINGS.labels(kind).set(newest.findings.get(kind, 0))


def _number(value: float | None) -> float:
    return nan if value is None else value


def _less(end: int, start: int | None) -> float:
    return nan if start is None else max(end - start, 0)
