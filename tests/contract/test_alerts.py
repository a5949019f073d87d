"""What every store of alerts must do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast
from uuid import uuid4

import asyncpg
import pytest
from structlog.testing import capture_logs

from sinks import alerts as sinks_alerts
from sinks.alerts import AlertKind, MemoryAlerts, OpenAlerts, PostgresAlerts
from sinks.base import Unavailable
from sinks.pool import Pool, create_pool
from tests.contract.postgres_turns import until
from tests.stack import Stack

pytestmark = pytest.mark.anyio

Seen = Callable[[str], Awaitable[list[tuple[object, bool]]]]
"""The details of a kind's alerts, oldest first, and whether each is open."""


@pytest.fixture
async def memory() -> tuple[OpenAlerts, Seen]:
    alerts = MemoryAlerts()

    async def seen(kind: str) -> list[tuple[object, bool]]:
        return [(a.detail, a.resolved_at is None) for a in alerts.alerts if a.kind == kind]

    return alerts, seen


@pytest.fixture
async def postgres_alerts(owner: Pool, worker: Pool) -> tuple[OpenAlerts, Seen]:
    async def seen(kind: str) -> list[tuple[object, bool]]:
        rows = await owner.fetch(
            "SELECT detail - 'subject' AS detail, resolved_at IS NULL AS open FROM badge_alerts "
            "WHERE kind = $1 ORDER BY id",
            kind,
        )
        return [(row["detail"], row["open"]) for row in rows]

    return PostgresAlerts(worker), seen


@pytest.fixture(params=["memory", "postgres_alerts"])
def store(request: pytest.FixtureRequest) -> tuple[OpenAlerts, Seen]:
    found: tuple[OpenAlerts, Seen] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def kind() -> AlertKind:
    """A kind of the test's own: the table is everybody's."""
    return cast("AlertKind", f"kind_{uuid4().hex}")


async def test_an_alert_is_raised_once_while_it_is_open(
    store: tuple[OpenAlerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.raise_alert(kind, {"message": "first"})
    await alerts.raise_alert(kind, {"message": "second"})
    assert await seen(kind) == [({"message": "first"}, True)]


async def test_a_resolved_alert_may_be_raised_again(
    store: tuple[OpenAlerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.raise_alert(kind, {"n": 1})
    await alerts.resolve(kind)
    await alerts.resolve(kind)
    assert await seen(kind) == [({"n": 1}, False)]
    await alerts.raise_alert(kind, {"n": 2})
    assert await seen(kind) == [({"n": 1}, False), ({"n": 2}, True)]


async def test_subjects_have_alerts_of_their_own(
    store: tuple[OpenAlerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.raise_alert(kind, {"n": 1}, subject="a")
    await alerts.raise_alert(kind, {"n": 2}, subject="b")
    await alerts.raise_alert(kind, {"n": 3})
    await alerts.resolve(kind, subject="a")
    assert await seen(kind) == [({"n": 1}, False), ({"n": 2}, True), ({"n": 3}, True)]


async def test_resolving_what_was_never_raised_does_nothing(
    store: tuple[OpenAlerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.resolve(kind)
    assert await seen(kind) == []


async def test_what_is_open_is_listed_by_subject(
    store: tuple[OpenAlerts, Seen], kind: AlertKind
) -> None:
    alerts, _ = store
    assert await alerts.opened(kind) == {}
    await alerts.raise_alert(kind, {"n": 1}, subject="a")
    await alerts.raise_alert(kind, {"n": 2}, subject="b")
    await alerts.raise_alert(kind, {"n": 3})
    await alerts.resolve(kind, subject="a")
    assert await alerts.opened(kind) == {"b": {"n": 2, "subject": "b"}, "": {"n": 3}}


@pytest.fixture
async def own_pool(postgres: Stack, contract_url: str) -> AsyncIterator[Pool]:
    """A pool of the test's own, to be put out of action."""
    async with await create_pool(
        postgres.role_url("badges_worker", contract_url), application_name="own_pool", max_size=1
    ) as pool:
        yield pool


async def test_without_postgres_an_alert_waits_and_nothing_is_raised(
    owner: Pool, own_pool: Pool, kind: AlertKind
) -> None:
    alerts = PostgresAlerts(own_pool)
    async with owner.acquire() as locking, locking.transaction():
        await locking.execute("LOCK TABLE badge_alerts")
        await alerts.raise_alert(kind, {"n": 1})
    assert await owner.fetchval("SELECT count(*) FROM badge_alerts WHERE kind = $1", kind) == 0
    await alerts.resolve("partition_failed")
    row = await owner.fetchrow("SELECT * FROM badge_alerts WHERE kind = $1", kind)
    assert isinstance(row, asyncpg.Record)
    assert row["detail"] == {"n": 1}


async def test_the_log_tells_at_once_of_every_alert_that_waits(
    owner: Pool, own_pool: Pool, kind: AlertKind
) -> None:
    alerts = PostgresAlerts(own_pool)
    async with owner.acquire() as locking, locking.transaction():
        await locking.execute("LOCK TABLE badge_alerts")
        with capture_logs() as logs:
            await alerts.resolve("partition_failed")  # stands before the others
            for n, subject in enumerate(("a", "b", "a")):
                await alerts.raise_alert(kind, {"n": n}, subject=subject)
                await alerts.resolve("partition_failed")
    lines = [(line["event"], line["kind"], line["subject"], line["detail"]) for line in logs]
    assert lines == [
        ("alert not written yet", kind, "a", {"n": 0}),
        ("alert not written yet", kind, "b", {"n": 1}),
    ]


async def test_what_could_not_be_written_is_written_though_nobody_tells_anything(
    owner: Pool, own_pool: Pool, kind: AlertKind, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sinks_alerts, "WRITE_AGAIN_SECONDS", 0.05)
    alerts = PostgresAlerts(own_pool)
    async with owner.acquire() as locking, locking.transaction():
        await locking.execute("LOCK TABLE badge_alerts")
        await alerts.raise_alert(kind, {"n": 1})

    async def is_written() -> bool:
        number = "SELECT count(*) FROM badge_alerts WHERE kind = $1"
        return bool(await owner.fetchval(number, kind))

    assert not await is_written()
    writing = asyncio.create_task(alerts.keep_writing())
    await until(is_written, "the alert")
    writing.cancel()


async def test_what_is_over_before_it_could_be_written_is_written_all_the_same(
    owner: Pool, own_pool: Pool, kind: AlertKind
) -> None:
    alerts = PostgresAlerts(own_pool)
    async with owner.acquire() as locking, locking.transaction():
        await locking.execute("LOCK TABLE badge_alerts")
        for n in range(5):
            await alerts.raise_alert(kind, {"n": n})
            await alerts.resolve(kind)
    await alerts.resolve("partition_failed")
    rows = await owner.fetch("SELECT detail, resolved_at FROM badge_alerts WHERE kind = $1", kind)
    assert [(row["detail"], row["resolved_at"] is not None) for row in rows] == [({"n": 4}, True)]


async def test_a_detail_may_hold_what_json_does_not_know(
    owner: Pool, worker: Pool, kind: AlertKind
) -> None:
    await PostgresAlerts(worker).raise_alert(kind, {"error": OSError("gone"), "n": 1})
    detail = await owner.fetchval("SELECT detail FROM badge_alerts WHERE kind = $1", kind)
    assert detail == {"error": "gone", "n": 1}


async def test_a_closed_pool_is_no_reason_to_raise(own_pool: Pool, kind: AlertKind) -> None:
    alerts = PostgresAlerts(own_pool)
    await own_pool.close()
    with pytest.raises(Unavailable):
        await alerts.opened(kind)
    await alerts.raise_alert(kind, {"n": 1})
    assert alerts._unwritten == {(kind, ""): [{"n": 1}]}
    await alerts.resolve("partition_failed", subject="3")
    assert alerts._unwritten == {(kind, ""): [{"n": 1}], ("partition_failed", "3"): [None]}
