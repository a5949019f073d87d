"""`badges api` as a process: what it logs and counts, how it waits, and how it ends."""

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import pytest
from fastapi import FastAPI
from pydantic import SecretStr

from badges.api import database
from badges.api.app import create_app
from badges.settings import Settings
from sinks.pool import Pool, create_pool
from tests import http
from tests.api.conftest import Organization
from tests.api.issuer import ISSUER, Issuer
from tests.api.service import ORGANIZATION, SECRET, Service, bearer, errors, serving_api, signed
from tests.patience import patient_pool
from tests.stack import LIMIT_S, Stack, wait_for

pytestmark = pytest.mark.anyio

WAITS = """
    SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND relation = 'peer_mentors'::regclass)
"""


@pytest.fixture
def another(postgres: Stack, service: Service, tmp_path: Path) -> Iterator[Service]:
    """A second API on the same database, which a test may end."""
    with serving_api(
        postgres, service.database_url, tmp_path / "log", BADGES_CORS_ORIGINS="https://app.example"
    ) as running:
        yield running


async def test_sigterm_lets_a_request_finish_and_is_a_good_end(
    another: Service, owner: Pool, mine: Organization
) -> None:
    caller = another.once("admin", mine.id)
    # One keeps its connection, over which nothing comes any more.
    async with httpx.AsyncClient(base_url=another.url, timeout=LIMIT_S) as idle:
        assert (await idle.get("/healthz")).status_code == 200
        with ThreadPoolExecutor() as threads:
            async with owner.acquire() as connection, connection.transaction():
                await connection.execute("LOCK TABLE peer_mentors")
                answer = threads.submit(caller.get, "/v1/peer-mentors")
                while not await owner.fetchval(WAITS):
                    if answer.done():  # it has given up the lock before anybody saw it wait
                        assert answer.result().status_code == 503, answer.result().text
                        answer = threads.submit(caller.get, "/v1/peer-mentors")
                another.process.send_signal(signal.SIGTERM)
            # Where the machine is slow the request has given up the lock: that is an answer too.
            assert answer.result(LIMIT_S).status_code in {200, 503}
        assert another.process.wait(LIMIT_S) == 0
    assert errors(another.lines()) == []


async def test_sigterm_ends_streams_at_once_and_whole(another: Service, mine: Organization) -> None:
    with (
        another.client("mentor", mine.id, mine.mentors[0]) as client,
        client.stream("GET", "/v1/unlocks") as feed,
    ):
        parts = feed.iter_bytes()
        assert next(parts)
        another.process.send_signal(signal.SIGTERM)
        for _ in parts:
            pass
    assert another.process.wait(LIMIT_S) == 0


async def test_keys_of_an_issuer_are_fetched_before_anybody_comes(
    service: Service, postgres: Stack, owner: Pool, tmp_path: Path
) -> None:
    issuer = Issuer()
    await owner.execute(
        "INSERT INTO organizations (id, slug, name) VALUES ($1::uuid, $1::uuid::text, 'Home') "
        "ON CONFLICT DO NOTHING",
        ORGANIZATION,
    )
    with (
        issuer.publishing() as url,
        serving_api(
            postgres,
            service.database_url,
            tmp_path / "log",
            BADGES_JWKS_URL=url,
            BADGES_JWT_ISSUER=ISSUER,
        ) as running,
    ):
        wait_for(lambda: issuer.fetched > 0, LIMIT_S, "the first fetch")
        tokens = issuer.sign("ec"), issuer.sign("rsa"), issuer.sign("ec", iss="another")

        def are_known() -> bool:
            asked = f"{running.url}/v1/peer-mentors"
            answers = [http.get(asked, headers=bearer(token)).status_code for token in tokens]
            assert set(answers[:2]) <= {200, 503}
            assert answers[2] in (401, 503)
            return 503 not in answers

        # A fetch that had no time is made once more, and a first connection may take long.
        wait_for(are_known, LIMIT_S, "answers by the issuer's keys")
        fetched = issuer.fetched
        wait_for(are_known, LIMIT_S, "the same answers")
        assert issuer.fetched == fetched


async def test_a_request_is_one_line_without_anything_personal(
    service: Service, mine: Organization
) -> None:
    sub = mine.mentors[0]
    with service.client("coordinator", mine.id, sub) as client:
        found = client.get("/v1/peer-mentors", params={"search": "Nordmann"})
    number = found.headers["x-request-id"]

    def written() -> list[dict[str, Any]]:
        return [line for line in service.lines() if line.get("request_id") == number]

    wait_for(lambda: bool(written()), LIMIT_S, "the line")
    [line] = written()
    duration = line.pop("duration_ms")
    assert 0 < duration < 60_000
    assert line["event"] == "request"
    assert {name: line[name] for name in ("method", "route", "status", "organization")} == {
        "method": "GET",
        "route": "/v1/peer-mentors",
        "status": 200,
        "organization": mine.id,
    }
    text = service.log.read_text()
    assert "Nordmann" not in text
    assert sub not in text


async def test_metrics_tell_of_the_newest_audit_of_everything(
    service: Service, owner: Pool, mine: Organization
) -> None:
    await owner.executemany(
        "INSERT INTO badge_audits (organization_id, finished_at, findings, ok) "
        "VALUES ($1, $2, $3, $4)",
        [
            (None, datetime(2026, 9, 1, tzinfo=UTC), {"date": 3}, False),
            (None, datetime(2026, 9, 2, tzinfo=UTC), {"stats": 2}, False),
            (UUID(mine.id), datetime(2026, 9, 3, tzinfo=UTC), {}, True),
            (None, datetime(2026, 9, 4, tzinfo=UTC), None, None),
        ],
    )
    try:
        with service.client("coordinator", mine.id) as client:
            wait_for(
                lambda: 'badges_audit_findings{kind="stats"} 2.0' in client.get("/metrics").text,
                LIMIT_S,
                "the newest audit's findings",
            )
            text = client.get("/metrics").text
    finally:
        # Other tests of this database tell of a newest audit too.
        await owner.execute("DELETE FROM badge_audits")
    assert 'badges_audit_findings{kind="date"} 0.0' in text
    told = text.partition("\nbadges_audit_finished_timestamp_seconds ")[2].partition("\n")[0]
    assert float(told) == datetime(2026, 9, 2, tzinfo=UTC).timestamp()


async def test_requests_are_counted_by_their_route(service: Service, mine: Organization) -> None:
    with service.client("coordinator", mine.id) as client:
        client.get("/v1/peer-mentors", params={"search": "a name"})
        client.get(f"/v1/nothing/{mine.id}")
        client.request("BREW", "/v1/coffee")
        text = client.get("/metrics").text
    for method, route, status in (
        ("GET", "/v1/peer-mentors", 200),
        ("GET", "none", 404),
        ("other", "none", 404),
    ):
        labels = f'method="{method}",route="{route}",status="{status}"'
        assert f"badges_api_request_seconds_count{{{labels}}}" in text
    assert mine.id not in text
    assert "BREW" not in text


async def test_only_pages_of_named_origins_may_call(
    service: Service, another: Service, mine: Organization
) -> None:
    asks = {
        "Origin": "https://app.example",
        "Access-Control-Request-Method": "PUT",
        "Access-Control-Request-Headers": "authorization,if-match",
    }
    path, page = "/v1/peer-mentors", {"Origin": "https://app.example"}
    with another.client("admin", mine.id) as client, service.client("admin", mine.id) as plain:
        allowed = client.options(path, headers=asks)
        stranger = client.options(path, headers=asks | {"Origin": "null"})
        read = client.get(path, headers=page)
        closed = plain.get(path, headers=page)
    assert allowed.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-credentials" not in allowed.headers
    assert "access-control-allow-origin" not in stranger.headers
    assert "ETag" in read.headers["access-control-expose-headers"]
    assert "access-control-allow-origin" not in closed.headers


@pytest.fixture
def app() -> FastAPI:
    """An application without its lifespan: the test gives it a pool."""
    return create_app(Settings(_env_file=None, jwt_secret=SecretStr(SECRET)))


async def asked(app: FastAPI, path: str) -> httpx.Response:
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app),
        base_url="http://api",
        headers=bearer(signed("admin", ORGANIZATION)),
    ) as client:
        return await client.get(path)


async def test_whoever_gets_no_connection_is_told_to_come_again(
    app: FastAPI, postgres: Stack, service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = postgres.role_url("badges_api", service.database_url)
    async with await patient_pool(url, max_size=1, application_name="test") as app.state.pool:
        async with app.state.pool.acquire():
            monkeypatch.setattr(database, "_PATIENCE_S", 0.1)
            busy = await asked(app, "/v1/peer-mentors")
        monkeypatch.undo()
        free = await asked(app, "/v1/peer-mentors")
    assert (busy.status_code, busy.headers["retry-after"]) == (503, "2")
    assert free.status_code == 200


@pytest.mark.parametrize("path", ["/readyz", "/v1/peer-mentors"])
async def test_a_database_that_is_away_is_no_secret_but_its_address_is(
    app: FastAPI, path: str
) -> None:
    url = "postgresql://somebody:s3cret@127.0.0.1:1/x"
    async with await create_pool(url, application_name="test") as app.state.pool:
        answer = await asked(app, path)
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert not [word for word in ("127.0.0.1", "somebody", "s3cret") if word in answer.text]
