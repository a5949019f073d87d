"""The way of a row: clocks, a probe row of our own from Postgres to Kafka, and the whole lag.

The probe changes the one row of badge_heartbeats, as the connector itself does each second. No
table of the application is written.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from aiokafka import AIOKafkaConsumer, TopicPartition
from msgspec import Struct

from badges.doctor.deployment import Deployment, once
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, failed, ok, warning
from badges.measuring import measuring
from schema.database import connect
from sinks.polling import poll
from streams.log.heartbeats import change_in
from streams.log.kafka import stop
from streams.log.wal import confirmed

_NEEDS: Final = ("postgres", "kafka")
_WAIT_MS = 100
_CLOCK_S = 5.0
"""So far clocks may differ: of a token 30 s are forgiven, of a line of a log less is confusing."""

_PROBE = "UPDATE public.badge_heartbeats SET at = clock_timestamp() WHERE id = 1 RETURNING at"


_HOLDER = """
SELECT (pg_blocking_pids($1))[1] AS pid,
       (SELECT quote_ident(tgname) FROM pg_trigger
        WHERE tgrelid = 'public.badge_heartbeats'::regclass AND NOT tgisinternal LIMIT 1) AS trigger
"""
_DROP = "DROP TRIGGER {} ON public.badge_heartbeats;"
_CANCEL = " While that waits, in another session: SELECT pg_cancel_backend({});"
_TERMINATE = "SELECT pg_terminate_backend({});"


class _Holder(Struct, frozen=True):
    """What keeps the row from being changed: a session, a trigger on its table, or both."""

    pid: int | None
    trigger: str | None

    def result(self, seconds: float) -> CheckResult:
        message = f"its row could not be changed within {seconds:g} s"
        if self.pid:
            message += f": the session {self.pid} holds it"
        if self.trigger:
            # None of ours is on that table. To drop it waits for whoever is in it.
            message += f"; the trigger {self.trigger} is not ours, and in the way of each change"
            fix = _DROP.format(self.trigger) + (_CANCEL.format(self.pid) if self.pid else "")
        else:
            fix = _TERMINATE.format(self.pid) if self.pid else "badges doctor --timeout 30"
        return failed("badge_heartbeats", message, fix)


class _Probe(Struct, frozen=True):
    """A row that was changed at `at`, by Postgres' clock, unless `holder` kept it from that.

    It came to Kafka after `seconds`, None where it did not in time; the record's own time is
    `recorded`, its place in the WAL `lsn`.
    """

    at: datetime | None
    seconds: float | None = None
    recorded: datetime | None = None
    lsn: int = 0
    holder: _Holder | None = None


@once
async def _sent(at: Deployment) -> _Probe:
    """Change the row, and wait until that is in Kafka."""
    place = TopicPartition((await at.log()).heartbeat_topic, 0)
    consumer = AIOKafkaConsumer(
        **at.chosen.kafka_access().client_options(), enable_auto_commit=False
    )
    try:
        await consumer.start()
        consumer.assign([place])
        consumer.seek(place, (await consumer.end_offsets([place]))[place])
        began = time.monotonic()
        sent = await _change(at)
        if isinstance(sent, _Holder):
            return _Probe(None, holder=sent)
        while sent is not None and time.monotonic() - began < at.limit_s:
            fetched = await consumer.getmany(place, timeout_ms=_WAIT_MS)
            for record in fetched.get(place, ()):
                change = change_in(record.value)
                if change and change.after.at == sent:
                    seconds = time.monotonic() - began
                    recorded = datetime.fromtimestamp(record.timestamp / 1000, UTC)
                    return _Probe(sent, seconds, recorded, change.source.lsn)
        return _Probe(sent)
    finally:
        await stop(consumer)


async def _change(at: Deployment) -> datetime | _Holder | None:
    """Change the row: when that was, None where there is no row, or what keeps it from that."""
    changing = asyncio.ensure_future(at.connection.fetchval(_PROBE))
    try:
        done, _ = await asyncio.wait({changing}, timeout=at.limit_s)
        if done:
            changed: datetime | None = changing.result()
            return changed
        async with connect(at.chosen.database) as other:
            found = await other.fetchrow(_HOLDER, at.connection.get_server_pid())
        assert found is not None
        return _Holder(found["pid"], found["trigger"])
    finally:
        if changing.cancel():
            await asyncio.wait({changing})


async def _probe(at: Deployment) -> Sequence[CheckResult]:
    found = await _sent(at)
    if found.holder:
        return [found.holder.result(at.limit_s)]
    if found.at is None:
        message = "the row of badge_heartbeats is missing, so nobody can tell how far the log is"
        fix = "INSERT INTO public.badge_heartbeats (id) VALUES (1);"
        return [failed("badge_heartbeats", message, fix)]
    if found.seconds is None:
        message = f"a row that was changed did not come to Kafka within {at.limit_s:g} s"
        return [failed("badge_heartbeats", message, "badges provision", safe="provision")]
    milliseconds = 1000 * found.seconds
    return [ok("badge_heartbeats", f"a changed row was in Kafka after {milliseconds:,.0f} ms")]


async def _confirmed(at: Deployment) -> Sequence[CheckResult]:
    """The slot's confirmed position against the newest row."""
    live, found = await at.log(), await _sent(at)
    began = time.monotonic()

    async def passed() -> bool:
        return await confirmed(at.connection, live.slot) > found.lsn

    with suppress(TimeoutError):
        await poll(passed, within=at.limit_s, every=_WAIT_MS / 1000)
        seconds = time.monotonic() - began
        return [ok(live.slot, f"the slot was confirmed beyond it {seconds:.1f} s later")]
    message = f"the slot is not confirmed beyond a row that came to Kafka {at.limit_s:g} s ago"
    fix = "set offset.flush.interval.ms=1000 for Kafka Connect's workers"
    return [warning(live.slot, message, fix)]


async def _clock(at: Deployment) -> Sequence[CheckResult]:
    before = datetime.now(UTC)
    there: datetime = await at.connection.fetchval("SELECT clock_timestamp()")
    after = datetime.now(UTC)
    off = max((before - there).total_seconds(), (there - after).total_seconds(), 0.0)
    if off <= _CLOCK_S:
        return [ok("this host", "its clock and Postgres' agree")]
    message = f"this host's clock is {off:,.0f} s away from Postgres'"
    return [warning("this host", message, "let both follow a time server (NTP)")]


async def _record_times(at: Deployment) -> Sequence[CheckResult]:
    """A record has the time of Connect's host, between the commit and its arrival here."""
    found = await _sent(at)
    assert found.at is not None
    assert found.recorded is not None
    later = (found.recorded - found.at).total_seconds()
    if -_CLOCK_S <= later <= (found.seconds or 0.0) + _CLOCK_S:
        return [ok("Kafka's records", "their time and Postgres' clock agree")]
    message = f"records have a time {later:,.0f} s after the commit by Postgres' clock"
    return [warning("Kafka's records", message, "let Kafka Connect's host follow a time server")]


_MENDS = {"worker": "badges worker", "connector": "badges provision"}
"""What brings the last stage that is late to work again; what is there already goes on."""


async def _lag(at: Deployment) -> Sequence[CheckResult]:
    async with measuring(at.chosen, "badges doctor") as meter:
        found = await meter.measure_alone()
    late = [stage for stage in found.stages if stage.state != "ok"]
    if not late:
        records = found.behind_records or 0
        return [ok("awards", f"{found.behind_seconds or 0:.1f} s and {records} records behind")]
    seconds = "unknown" if found.behind_seconds is None else f"{found.behind_seconds:,.1f} s"
    stages = ", ".join(f"{stage.name} is {stage.state}" for stage in late)
    words = "; ".join(stage.message for stage in late if stage.message)
    message = f"awards are late (behind: {seconds}): {stages}"
    return [failed("awards", message, _MENDS.get(late[-1].name, "badges lag"), words=words)]


_PIPE = (
    "generation",
    "prefix",
    "publication",
    "connector",
    "connector_config",
    "converters",
    "writable",
    "log_whole",
)
"""What a probe goes through: where one of them is not as it must be, that says why none comes."""

CHECKS = (
    Check("clock", "flow", _clock, ("postgres",)),
    Check("probe", "flow", _probe, _NEEDS, _PIPE, patience=3),
    Check("probe_confirmed", "flow", _confirmed, _NEEDS, ("probe",), patience=2),
    Check("record_times", "flow", _record_times, _NEEDS, ("probe",)),
    Check(
        "lag",
        "flow",
        _lag,
        ("postgres", "kafka", "connect"),
        ("probe", "probe_confirmed", "workers", "worker_group", "rules_in_effect"),
        patience=3,
    ),
)
