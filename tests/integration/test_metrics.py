"""What a real worker and a real API tell Prometheus: all that is listed, and it is true."""

import asyncio
from datetime import datetime
from functools import partial
from math import isnan, nan
from uuid import UUID

from prometheus_client import CollectorRegistry

from badges.api.metrics import API
from streams.metrics import WORKER
from tests.integration.alerts import all_closed
from tests.integration.pipeline import PARTITIONS, Pipeline, Rig, count_of
from tests.integration.serving import served
from tests.integration.told_metrics import Told, telling, told_at
from tests.integration.workers import LONG_SESSION
from tests.metrics_page import listed

OF_ANY_PROCESS = ("process_", "python_")


async def settled(p: Pipeline, address: str) -> Told:
    """What a worker tells once all is decided that was committed before."""
    await p.settle()
    return await told_at(address)


def is_what_is_listed(told: Told, registry: CollectorRegistry) -> None:
    """Fail unless a process tells each metric that it registers, and none besides."""
    wanted = {each.name.removesuffix("_total"): each for each in listed(registry)}
    found = {n: each for n, each in told.families.items() if not n.startswith(OF_ANY_PROCESS)}
    assert found.keys() == wanted.keys()
    for name, family in found.items():
        assert (family.type, family.documentation) == (wanted[name].type, wanted[name].help)
        labels = {label for label, _ in wanted[name].labels}
        for sample in family.samples:
            assert sample.labels.keys() - {"le"} == labels, sample
    assert len(told.families) > len(found)


def test_worker_and_api_tell_what_is_listed(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker, address = telling(p)
        await p.at_work(worker)
        is_what_is_listed(await settled(p, address), WORKER)
        with served(p) as api:
            is_what_is_listed(await told_at(api), API)

    unmanned.run(test)


def test_a_row_that_earns_a_badge_is_counted_once(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1))
        worker, address = telling(p, **LONG_SESSION)
        await p.at_work(worker)
        before = await settled(p, address)

        earlier = await clock(p)
        await p.activity(mentor, "2026-01-10")
        await p.settle()
        # Once it is written, which others see first, it is counted.
        granted = {"kind": "granted", "source": "stream"}
        count = "badges_commit_to_award_seconds_count"
        await until_more(p, address, before, count, 1)
        await p.settle()
        after = await told_at(address)
        later = await clock(p)
        assert grown(before, after, count) == 1
        assert grown(before, after, "badges_awards_total", **granted) == 1
        assert grown(before, after, "badges_decisions_total", kind="granted") == 1
        elapsed = (later - earlier).total_seconds()
        assert 0 < grown(before, after, "badges_commit_to_award_seconds_sum") < elapsed
        for name in ("records_folded_total", "fold_seconds_count", "batch_records_count",
                     "turns_written_total", "turn_write_seconds_count"):  # fmt: skip
            assert grown(before, after, f"badges_{name}") > 0, name
        assert after.value("badges_catching_up_partitions") == 0
        source, caused_at, at = await cause(p, mentor, badge)
        assert source == "stream"
        assert caused_at is not None
        # Debezium says it to the millisecond.
        assert earlier.timestamp() - 0.001 <= caused_at.timestamp() <= at.timestamp()

    unmanned.run(test)


def test_what_a_new_version_gives_is_no_rows_doing(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        await p.activity(mentor, "2026-01-10")
        worker, address = telling(p)
        await p.at_work(worker)
        before = await settled(p, address)

        badge = await p.badge(organization, count_of(1))
        await p.settle()
        of_a_version = {"kind": "granted", "source": "replay"}
        await until_more(p, address, before, "badges_awards_total", 1, **of_a_version)
        after = await told_at(address)
        assert grown(before, after, "badges_commit_to_award_seconds_count") == 0
        assert (await cause(p, mentor, badge))[:2] == ("replay", None)

    unmanned.run(test)


def test_the_api_tells_of_the_whole_service_also_when_all_workers_are_gone(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        await p.badge(organization, count_of(1))
        await p.badge(organization, count_of(9), status="draft")
        worker, _ = telling(p)
        await p.at_work(worker)
        await p.come_to_rest()
        with served(p) as api:
            well = {"badges_on_time": 1, "badges_workers": 1, "badges_slot_active": 1,
                    "badges_lag_records": 0, "badges_lag_seconds": 0}  # fmt: skip
            group = {"consumergroup": f"{p.site.prefix}-worker", "topic": p.log.topic}

            async def group_is_told() -> bool:
                told = await told_at(api)
                silent = told.value("badges_rules_silent", days=7)
                lag = told.value("kafka_consumergroup_lag", **group, partition=0)
                return lag == 0 and silent is not None

            await p.until(group_is_told, what="the group's lag, and which rules are silent")
            told = await until_told(p, api, **well)
            assert told.value("badges_lag_records") == told.value("badges_lag_seconds") == 0
            for stage in ("slot", "connector", "kafka", "worker"):
                assert told.value("badges_lag_stage_ok", stage=stage) == 1
            for partition in range(PARTITIONS):
                assert told.value("badges_behind_records", partition=partition) == 0
            assert told.value("kafka_consumergroup_lag", **group, partition=0) == 0
            assert told.value("pg_replication_slots_active", slot_name=p.log.slot) == 1
            assert (told.value("badges_slot_retained_bytes") or 0) > 0
            drafts = told.value("badges_definitions", state="draft") or 0
            assert drafts >= 1

            worker.end()
            await p.activity(mentor, "2026-01-10")
            deserted = {"badges_on_time": 0, "badges_workers": 0, "badges_lag_records": 1}
            told = await until_told(p, api, **deserted)
            assert told.value("badges_lag_stage_ok", stage="worker") == 0
            assert (told.value("badges_lag_seconds") or 0) > 0
        await p.retire_everything()

    unmanned.run(test)


def test_without_postgres_alerts_are_logged_and_counted_and_their_rows_follow(
    unmanned: Rig,
) -> None:
    async def test(p: Pipeline) -> None:
        worker, address = telling(p)
        kind = "log_unreachable"
        await p.at_work(worker)
        await p.settle()
        newest = await p.pool.fetchval("SELECT coalesce(max(id), 0) FROM badge_alerts")
        with served(p) as api:
            await until_told(p, api, badges_on_time=1)
            await asyncio.to_thread(p.stack.stop, "postgres")
            try:
                await until_told(p, api, badges_on_time=0, badges_slot_active=nan)
                await until_open(p, address, kind, 1)
                late, elsewhere = telling(p)
                late.start()
                await until_open(p, elsewhere, kind, 0)
            finally:
                await asyncio.to_thread(p.stack.start, "postgres")
            await until_open(p, address, kind, 0)
            await until_told(p, api, badges_on_time=1)
        over = partial(is_written, p, kind, newest)
        await p.until(over, what="the row of an alert that is over")
        await all_closed(p, kind)
        assert late.runs
        late.end()
        unwritten = [line["kind"] for line in worker.said("alert not written yet")]
        written = [line["kind"] for line in worker.said("alert")]
        rows = await p.pool.fetch(
            "SELECT kind FROM badge_alerts WHERE id > $1 AND kind = $2 "
            "AND detail ->> 'subject' IS DISTINCT FROM 'api'",  # which tells of itself
            newest,
            kind,
        )
        assert unwritten.count(kind) == len(rows) == 1
        # A row whose insert is not answered is found there already.
        assert written.count(kind) <= 1

    unmanned.run(test)


async def is_written(p: Pipeline, kind: str, after: int) -> bool:
    """Whether a worker's alert, newer than that one, is written, and that it is over."""
    return bool(
        await p.pool.fetchval(
            "SELECT EXISTS (SELECT FROM badge_alerts WHERE id > $1 AND kind = $2 "
            "AND detail ->> 'subject' IS DISTINCT FROM 'api' AND resolved_at IS NOT NULL)",
            after,
            kind,
        )
    )


async def until_told(p: Pipeline, address: str, **values: float) -> Told:
    """Wait until a process tells these values at once; all that it told then."""

    async def told_so() -> Told | None:
        told = await told_at(address)
        is_so = all(is_same(told.value(name), value) for name, value in values.items())
        return told if is_so else None

    told: Told = await p.until(told_so, what=f"metrics that say {values}")
    return told


def grown(before: Told, after: Told, name: str, **labels: str) -> float:
    """By how much a sample has grown."""
    return (after.value(name, **labels) or 0) - (before.value(name, **labels) or 0)


async def until_more(
    p: Pipeline, address: str, before: Told, name: str, number: float, **labels: str
) -> None:
    """Wait until a process has counted so many more than before."""

    async def is_so() -> bool:
        return grown(before, await told_at(address), name, **labels) == number

    await p.until(is_so, what=f"{number} more of {name}")


def is_same(found: float | None, wanted: float) -> bool:
    """Whether a value is as wanted, which may be not to be known."""
    return found == wanted or (found is not None and isnan(found) and isnan(wanted))


async def until_open(p: Pipeline, address: str, kind: str, number: int) -> None:
    """Wait until a process tells that it holds so many alerts of a kind."""

    async def is_so() -> bool:
        return (await told_at(address)).value("badges_alerts_open", kind=kind) == number

    await p.until(is_so, what=f"{number} open alerts of the kind {kind}")


async def clock(p: Pipeline) -> datetime:
    """What Postgres' clock says."""
    now: datetime = await p.pool.fetchval("SELECT clock_timestamp()")
    return now


async def cause(p: Pipeline, mentor: UUID, badge: UUID) -> tuple[str, datetime | None, datetime]:
    """Of the one event of an award: its source, when its cause was committed, and its own time."""
    (row,) = await p.pool.fetch(
        "SELECT source, caused_at, at FROM badge_award_events "
        "WHERE peer_mentor_id = $1 AND badge_definition_id = $2",
        mentor,
        badge,
    )
    return row["source"], row["caused_at"], row["at"]
