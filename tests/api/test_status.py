"""GET /v1/status: everything the dashboard shows, and nobody's data."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from badges.api.history import History
from badges.api.shared import Shared
from badges.doctor.deployment import Deployment
from badges.doctor.waiting import CHECKS
from badges.remedies import REMEDIES, remedy_of
from badges.settings import Settings
from sinks.polling import poll
from sinks.pool import Pool
from streams.lag.stages import GenerationState, Lag, PartitionLag, Stage
from tests.api.conftest import Organization
from tests.api.service import Service
from tests.api.test_lag import NEVER
from tests.api.world import world
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio


@pytest.fixture
async def alert(owner: Pool) -> AsyncIterator[None]:
    await owner.execute(
        "INSERT INTO badge_alerts (kind, detail) "
        "VALUES ('audit_differs', $1), ('audit_differs', $2)",
        {"subject": "a", "message": "Kari Nordmann"},
        {"subject": "b"},
    )
    yield
    await owner.execute("DELETE FROM badge_alerts")


async def ask(service: Service, language: str = "en", **query: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=service.url, timeout=LIMIT_S) as client:
        headers = {"Accept-Language": language}
        answer = await client.get("/v1/status", params=query, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer


async def told_alert(service: Service, language: str = "en") -> httpx.Response:
    """The answer, once it has the alerts: what Postgres says is good for two seconds."""

    async def has_it() -> httpx.Response | None:
        answer = await ask(service, language)
        return answer if any(each["count"] == 2 for each in answer.json()["alerts"]) else None

    return await poll(has_it, within=LIMIT_S)


async def test_it_tells_of_everything_in_numbers(service: Service) -> None:
    parts = {"lag", "unlocks", "award_seconds", "refused_writes", "definitions"}
    # There is no Kafka; of a log that another test had the API knows for some seconds more.
    none = {"dead_letters", "events_per_minute"}

    async def whole() -> Any:
        told = (await ask(service)).json()
        known = {key for key, value in told.items() if value is not None}
        return told if known & (parts | none) == parts else None

    found = await poll(whole, within=LIMIT_S)
    assert found["lag"]["on_time"] is False
    assert found["measured_at"] <= found["at"]
    assert len(found["unlocks"]["per_minute"]) == 30
    assert found["award_seconds"]["count"] >= 0
    assert found["refused_writes"]["waiting"] >= 0
    assert found["definitions"].keys() == {"active", "draft", "retired", "raw", "invalid"}
    assert found["last_audit"] is None


@pytest.mark.usefixtures("alert")
async def test_an_open_alert_comes_with_what_to_do_in_the_readers_language(
    service: Service,
) -> None:
    remedy = REMEDIES["audit_differs"]
    for language in ("en", "nb"):
        alerts = (await told_alert(service, language)).json()["alerts"]
        (told,) = (each for each in alerts if each["kind"] == "audit_differs")
        assert datetime.fromisoformat(told["since"]) <= datetime.now(UTC)
        assert (told["what"], told["todo"]) == (remedy.what(language), remedy.todo(language))
        assert (told["command"], told["page"]) == (remedy.command, remedy.page)


async def test_an_alert_of_another_version_is_told_as_one(service: Service, owner: Pool) -> None:
    kind = "of_another_version"

    async def has_it() -> Any:
        alerts = (await ask(service)).json()["alerts"]
        return next((each for each in alerts if each["kind"] == kind), None)

    await owner.execute("INSERT INTO badge_alerts (kind, detail) VALUES ($1, '{}')", kind)
    try:
        told = await poll(has_it, within=LIMIT_S)
        assert told["what"] == remedy_of(kind).what.en
        chosen = Settings(_env_file=None, database_url=SecretStr(service.database_url))
        (check,) = (each for each in CHECKS if each.id == "alerts")
        async with Deployment(chosen, LIMIT_S) as deployment:
            await deployment.open_postgres()
            (found,) = (each for each in await check.ask(deployment) if each.subject == kind)
        assert kind in found.message
        assert found.fix is not None
        assert "alerts.md" in found.fix
    finally:
        await owner.execute("DELETE FROM badge_alerts")


@pytest.mark.usefixtures("alert")
async def test_nothing_of_any_organization_is_in_it(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    there = await world(owner, mine, other)
    told = (await told_alert(service)).text
    ids = {*there.ids(), mine.id, other.id, *mine.mentors, *other.mentors}
    rows = await owner.fetch(
        """
        SELECT display_name AS text FROM peer_mentors WHERE organization_id = ANY ($1)
        UNION SELECT name FROM organizations WHERE id = ANY ($1)
        UNION SELECT key FROM badge_definitions WHERE organization_id = ANY ($1)
        UNION SELECT name FROM badge_definitions WHERE organization_id = ANY ($1)
        """,
        [mine.id, other.id],
    )
    assert rows
    assert [each for each in ids if str(each) in told] == []
    assert [row["text"] for row in rows if row["text"] in told] == []


async def test_what_is_told_of_the_pace_takes_nothing_else_along(
    service: Service, owner: Pool
) -> None:
    function = "FUNCTION badges_private.award_seconds(timestamptz)"

    async def told(*, pace: bool) -> bool:
        found = (await ask(service)).json()
        known = {key for key, value in found.items() if value is not None}
        others = {"refused_writes", "definitions"}
        with_pace = {"unlocks", "award_seconds", *others}
        return known & with_pace == (with_pace if pace else others)

    await owner.execute(f"REVOKE EXECUTE ON {function} FROM badges_api")
    try:
        await poll(lambda: told(pace=False), within=LIMIT_S)
    finally:
        await owner.execute(f"GRANT EXECUTE ON {function} TO badges_api")
    await poll(lambda: told(pace=True), within=LIMIT_S)


def measured(offset: int, behind: float = 0.0, generation: int = 1) -> Lag:
    return replace(
        NEVER,
        stages=[Stage("worker", "ok", behind)],
        partitions=[PartitionLag(0, offset, offset, 0, behind)],
        generation=GenerationState(generation, "live"),
    )


async def test_the_history_has_one_sample_for_each_measurement_and_knows_the_rate() -> None:
    answers: list[Lag] = []

    async def measure() -> Lag:
        return answers[0]

    history = History(Shared(measure, 1.0))
    start = datetime(2026, 1, 1, tzinfo=UTC)

    def add(seconds: int, lag: Lag) -> None:
        history.add(start + timedelta(seconds=seconds), lag)

    add(0, measured(1000, 3.5))
    assert history.records_per_minute() is None
    add(0, measured(1000))
    assert [each.stages for each in history.since(None)] == [{"worker": 3.5}]
    add(30, measured(1100))
    assert history.records_per_minute() == 200
    assert [each.at for each in history.since(start)] == [start + timedelta(seconds=30)]
    add(120, measured(1100))
    assert history.records_per_minute() is None, "what is older than a minute does not count"
    add(150, measured(1110))
    assert history.records_per_minute() == 20
    add(160, measured(5, generation=2))
    assert history.records_per_minute() is None, "another generation counts its own records"
    add(1000, measured(5))
    assert [each.at for each in history.since(None)] == [
        start + timedelta(seconds=each) for each in (120, 150, 160, 1000)
    ]


async def test_the_rate_is_not_known_while_nobody_tells_how_far_it_is_decided() -> None:
    async def measure() -> Lag:
        return NEVER

    history = History(Shared(measure, 1.0))
    start = datetime(2026, 1, 1, tzinfo=UTC)
    history.add(start, measured(1000))
    history.add(start + timedelta(seconds=30), measured(1100))
    assert history.records_per_minute() == 200
    history.add(start + timedelta(seconds=31), replace(measured(0), partitions=[]))
    assert history.records_per_minute() is None
    for seconds in (40, 70):
        history.add(start + timedelta(seconds=seconds), measured(1100 + seconds))
    assert history.records_per_minute() == 60
