"""What every store of alerts must do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from sinks import alerts as sinks_alerts
from sinks.alerts import AlertKind, Alerts, PostgresAlerts
from sinks.errors import Unavailable
from sinks.pool import Pool, create_pool
from tests.doubles.memory_alerts import MemoryAlerts
from tests.patience import until
from tests.stack import LIMIT_S, Stack

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patient_alerts")]

API_TELLS: tuple[tuple[AlertKind, str], ...] = (("nobody_works", ""), ("log_unreachable", "api"))
"""What the API opens itself (streams/lag/backlog_watch.py)."""

Seen = Callable[[str], Awaitable[list[tuple[object, bool]]]]
"""The details of a kind's alerts, oldest first, and whether each is open."""


@pytest.fixture
async def memory() -> tuple[Alerts, Seen]:
    alerts = MemoryAlerts()

    async def seen(kind: str) -> list[tuple[object, bool]]:
        return [(a.detail, a.resolved_at is None) for a in alerts.alerts if a.kind == kind]

    return alerts, seen


@pytest.fixture
async def postgres_alerts(owner: Pool, worker: Pool) -> tuple[Alerts, Seen]:
    async def seen(kind: str) -> list[tuple[object, bool]]:
        rows = await owner.fetch(
            "SELECT detail - 'subject' AS detail, resolved_at IS NULL AS open FROM badge_alerts "
            "WHERE kind = $1 ORDER BY id",
            kind,
        )
        return [(row["detail"], row["open"]) for row in rows]

    return PostgresAlerts(worker), seen


@pytest.fixture(params=["memory", "postgres_alerts"])
def store(request: pytest.FixtureRequest) -> tuple[Alerts, Seen]:
    found: tuple[Alerts, Seen] = request.getfixturevalue(request.param)
    return found


@pytest.fixture
def kind() -> AlertKind:
    """A kind of the test's own: the table is everybody's."""
    return cast("AlertKind", f"kind_{uuid4().hex}")


async def test_an_alert_is_raised_once_while_it_is_open(
    store: tuple[Alerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.raise_alert(kind, {"message": "first"})
    await alerts.raise_alert(kind, {"message": "second"})
    assert await seen(kind) == [({"message": "first"}, True)]


@pytest.mark.parametrize(("kind", "subject"), API_TELLS)
async def test_what_the_api_tells_is_written_and_closed(
    api: Pool, postgres_alerts: tuple[Alerts, Seen], kind: AlertKind, subject: str
) -> None:
    alerts, (_, seen) = PostgresAlerts(api), postgres_alerts
    before = len(await seen(kind))
    await alerts.raise_alert(kind, {"message": "so it is"}, subject=subject)
    assert (await seen(kind))[before:] == [({"message": "so it is"}, True)]
    await alerts.resolve(kind, subject=subject)
    assert (await seen(kind))[before:] == [({"message": "so it is"}, False)]


@pytest.mark.parametrize(("kind", "subject"), [("log_unreachable", ""), ("slot_lost", "api")])
async def test_the_api_opens_and_closes_no_alert_of_a_worker(
    api: Pool, postgres_alerts: tuple[Alerts, Seen], kind: AlertKind, subject: str
) -> None:
    workers, seen = postgres_alerts
    before = len(await seen(kind))
    alerts = PostgresAlerts(api)
    await alerts.raise_alert(kind, {"message": "not its own"}, subject=subject)
    assert (await seen(kind))[before:] == []
    await workers.raise_alert(kind, {"message": "a worker's"}, subject=subject)
    await PostgresAlerts(api).resolve(kind, subject=subject)
    assert (await seen(kind))[before:] == [({"message": "a worker's"}, True)]
    await workers.resolve(kind, subject=subject)


async def test_a_resolved_alert_may_be_raised_again(
    store: tuple[Alerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.raise_alert(kind, {"n": 1})
    await alerts.resolve(kind)
    await alerts.resolve(kind)
    assert await seen(kind) == [({"n": 1}, False)]
    await alerts.raise_alert(kind, {"n": 2})
    assert await seen(kind) == [({"n": 1}, False), ({"n": 2}, True)]


async def test_subjects_have_alerts_of_their_own(
    store: tuple[Alerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.raise_alert(kind, {"n": 1}, subject="a")
    await alerts.raise_alert(kind, {"n": 2}, subject="b")
    await alerts.raise_alert(kind, {"n": 3})
    await alerts.resolve(kind, subject="a")
    assert await seen(kind) == [({"n": 1}, False), ({"n": 2}, True), ({"n": 3}, True)]


async def test_resolving_what_was_never_raised_does_nothing(
    store: tuple[Alerts, Seen], kind: AlertKind
) -> None:
    alerts, seen = store
    await alerts.resolve(kind)
    assert await seen(kind) == []


async def test_what_is_open_is_listed_by_subject(
    store: tuple[Alerts, Seen], kind: AlertKind
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
        postgres.role_url("badges_worker", contract_url),
        application_name="own_pool",
        max_size=1,
        connect_timeout=LIMIT_S,
    ) as pool:
        yield pool


async def rows_of(owner: Pool, kind: AlertKind) -> list[tuple[object, bool]]:
    """The details of a kind's alerts, oldest first, and whether each is open."""
    rows = await owner.fetch(
        "SELECT detail, resolved_at IS NULL AS open FROM badge_alerts WHERE kind = $1 ORDER BY id",
        kind,
    )
    return [(row["detail"], row["open"]) for row in rows]


async def once_told_again(
    owner: Pool, alerts: PostgresAlerts, kind: AlertKind
) -> list[tuple[object, bool]]:
    """What is there when calls about anything else have written it."""

    async def written() -> list[tuple[object, bool]]:
        await alerts.resolve("partition_failed")
        return await rows_of(owner, kind)

    found: list[tuple[object, bool]] = await until(written, "the alert")
    return found


async def test_without_postgres_an_alert_waits_and_nothing_is_raised(
    owner: Pool, own_pool: Pool, kind: AlertKind
) -> None:
    alerts = PostgresAlerts(own_pool)
    async with owner.acquire() as locking, locking.transaction():
        await locking.execute("LOCK TABLE badge_alerts")
        await alerts.raise_alert(kind, {"n": 1})
    assert await owner.fetchval("SELECT count(*) FROM badge_alerts WHERE kind = $1", kind) == 0
    assert await once_told_again(owner, alerts, kind) == [({"n": 1}, True)]


async def test_what_is_no_row_yet_is_known_until_it_is(
    owner: Pool, own_pool: Pool, kind: AlertKind
) -> None:
    alerts = PostgresAlerts(own_pool)
    async with owner.acquire() as locking, locking.transaction():
        await locking.execute("LOCK TABLE badge_alerts")
        for subject in ("a", "b", "over"):
            await alerts.raise_alert(kind, {}, subject=subject)
            await alerts.raise_alert(kind, {}, subject=subject)
        await alerts.resolve(kind, subject="over")
        await alerts.resolve("partition_failed")
        assert alerts.unwritten == [kind, kind]

    async def written() -> bool:
        await alerts.resolve("partition_failed")
        return sorted(await rows_of(owner, kind), key=str) == told

    told = [({"subject": "a"}, True), ({"subject": "b"}, True), ({"subject": "over"}, False)]
    await until(written, "the alerts")
    assert alerts.unwritten == []


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
    assert await once_told_again(owner, alerts, kind) == [({"n": 4}, False)]


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
    with capture_logs() as logs:
        await alerts.raise_alert(kind, {"n": 1})
        await alerts.resolve("partition_failed", subject="3")
    (line,) = logs
    assert (line["event"], line["kind"]) == ("alert not written yet", kind)


@pytest.fixture
async def refused(owner: Pool, kind: AlertKind) -> AsyncIterator[AlertKind]:
    """A kind of which a trigger of the application refuses every alert, until it is dropped."""
    await owner.execute(
        f"""
        CREATE SEQUENCE test_pages_tries;
        CREATE FUNCTION test_pages() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
        BEGIN
            IF NEW.kind LIKE '{kind}-refused%' THEN
                PERFORM nextval('public.test_pages_tries');
                RAISE EXCEPTION 'the pager is broken' USING ERRCODE = split_part(NEW.kind, ' ', 2);
            END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER test_pages BEFORE INSERT ON badge_alerts
            FOR EACH ROW EXECUTE FUNCTION test_pages();
        """
    )
    yield kind
    await owner.execute(
        "DROP FUNCTION IF EXISTS test_pages CASCADE; DROP SEQUENCE test_pages_tries"
    )


@pytest.mark.parametrize("sqlstate", ["P0001", "23514", "42501"])
async def test_an_alert_that_is_refused_is_kept_and_keeps_no_other(
    owner: Pool,
    own_pool: Pool,
    refused: AlertKind,
    sqlstate: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sinks_alerts, "WRITE_AGAIN_SECONDS", 0.02)
    monkeypatch.setattr(sinks_alerts, "REFUSED_AGAIN_SECONDS", 0.1)
    bad, good = (cast("AlertKind", f"{refused}{end}") for end in (f"-refused {sqlstate}", "-fine"))
    alerts = PostgresAlerts(own_pool)
    writing = asyncio.create_task(alerts.keep_writing())
    with capture_logs() as logs:
        for n in range(3):
            await alerts.raise_alert(bad, {"n": n})
        await alerts.raise_alert(good, {"n": 1})
        assert await rows_of(owner, good) == [({"n": 1}, True)]

        async def tried_again() -> bool:
            return bool(await owner.fetchval("SELECT last_value >= 3 FROM test_pages_tries"))

        await until(tried_again, "two more tries")
    lines = [line for line in logs if line["event"] == "alert not written yet"]
    assert [(line["kind"], line["detail"]) for line in lines] == [(bad, {"n": 0})]
    assert "the pager is broken" in lines[0]["error"]
    assert await rows_of(owner, bad) == []
    await owner.execute("DROP FUNCTION test_pages CASCADE")

    async def written() -> list[tuple[object, bool]]:
        return await rows_of(owner, bad)

    assert await until(written, "the alert that was refused") == [({"n": 0}, True)]
    writing.cancel()


async def test_an_alert_whose_row_is_locked_keeps_no_other(
    owner: Pool, own_pool: Pool, kind: AlertKind
) -> None:
    alerts = PostgresAlerts(own_pool)
    await alerts.raise_alert(kind, {"n": 1}, subject="locked")
    async with owner.acquire() as idle, idle.transaction():
        await idle.execute("SELECT FROM badge_alerts WHERE kind = $1 FOR UPDATE", kind)
        await alerts.resolve(kind, subject="locked")
        await alerts.raise_alert(kind, {"n": 2}, subject="free")
        assert [detail for detail, _ in await rows_of(owner, kind)] == [
            {"n": 1, "subject": "locked"},
            {"n": 2, "subject": "free"},
        ]

    async def is_closed() -> bool:
        await alerts.resolve(kind, subject="free")
        return not any(is_open for _, is_open in await rows_of(owner, kind))

    await until(is_closed, "that what was locked is closed")


async def test_who_ends_waits_until_it_is_written_or_says_that_it_is_not(
    owner: Pool, own_pool: Pool, kind: AlertKind
) -> None:
    alerts = PostgresAlerts(own_pool)
    await alerts.raise_alert(kind, {}, subject="a")
    async with owner.acquire() as locking, locking.transaction():
        await locking.execute("LOCK TABLE badge_alerts")
        await alerts.resolve(kind, subject="a")
        with capture_logs() as logs:
            await alerts.finish(0.5)
    assert [(line["log_level"], line["kind"], line["subject"]) for line in logs] == [
        ("error", kind, "a")
    ]
    assert await rows_of(owner, kind) == [({"subject": "a"}, True)]
    await alerts.finish(LIMIT_S)
    assert await rows_of(owner, kind) == [({"subject": "a"}, False)]
