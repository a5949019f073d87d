"""/v1/criteria/preview: who would hold a badge, and whom an edit gives it or takes it from."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import RAW, created, saved
from tests.api.mentors import log
from tests.api.service import Service, serving_api
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio

PATH = "/v1/criteria/preview"


def threshold(at_least: int, **more: Any) -> dict[str, Any]:
    return {"version": 1, "type": "threshold", "metric": "count", "at_least": at_least, **more}


def preview(
    service: Service, organization: str, criteria: dict[str, Any], **more: Any
) -> httpx.Response:
    params: dict[str, Any] = {key: more.pop(key) for key in ("limit", "after") if key in more}
    with service.client("admin", organization) as client:
        return client.post(PATH, json={"criteria": criteria, **more}, params=params)


def ids(found: dict[str, Any]) -> list[str]:
    return [each["peer_mentor_id"] for each in found["items"]]


async def test_it_says_who_would_hold_it_and_since_when(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    first, second = mine.mentors
    await log(owner, first, "2026-03-01", "2026-01-01", "2026-02-01")
    await log(owner, second, "2026-01-01")
    await log(owner, other.mentors[0], "2026-01-01", "2026-01-02")
    found = preview(service, mine.id, threshold(2)).json()
    name = await owner.fetchval("SELECT display_name FROM peer_mentors WHERE id = $1", first)
    assert found == {
        "count": 1,
        "items": [
            {
                "peer_mentor_id": first,
                "display_name": name,
                "earned_on": "2026-02-01",
                "tier": None,
            }
        ],
        "next": None,
        "gains": None,
        "losses": None,
        "against_version": None,
    }
    since = preview(service, mine.id, threshold(2), counts_from="2026-01-02").json()
    assert since["items"][0]["earned_on"] == "2026-03-01"


async def test_whoever_is_not_active_would_not_hold_it(
    service: Service, owner: Pool, mine: Organization
) -> None:
    for mentor in mine.mentors:
        await log(owner, mentor, "2026-01-01")
    await owner.execute("UPDATE peer_mentors SET active = false WHERE id = $1", mine.mentors[1])
    assert ids(preview(service, mine.id, threshold(1)).json()) == [mine.mentors[0]]


async def test_tiers_are_told_with_the_date_of_the_lowest(
    service: Service, owner: Pool, mine: Organization
) -> None:
    first, second = mine.mentors
    await log(owner, first, "2026-01-01", "2026-01-02", "2026-01-03")
    await log(owner, second, "2026-01-01")
    tiers = [{"name": name, "at_least": n} for name, n in (("a", 1), ("b", 3), ("c", 4))]
    criteria = {"version": 1, "type": "tier", "metric": "count", "tiers": tiers}
    found = preview(service, mine.id, criteria).json()
    assert [(each["tier"], each["earned_on"]) for each in found["items"]] == [
        ("b", "2026-01-01"),
        ("a", "2026-01-01"),
    ]


async def test_pages_follow_each_other(service: Service, owner: Pool, mine: Organization) -> None:
    for mentor in mine.mentors:
        await log(owner, mentor, "2026-01-01")
    first = preview(service, mine.id, threshold(1), limit=1).json()
    second = preview(service, mine.id, threshold(1), limit=1, after=first["next"]).json()
    assert ids(first) + ids(second) == sorted(mine.mentors)
    assert (first["count"], second["count"], second["next"]) == (2, 2, None)


async def test_an_edit_tells_whom_it_gives_the_badge_and_whom_it_takes_it_from(
    service: Service, owner: Pool, mine: Organization
) -> None:
    first, second = mine.mentors
    await log(owner, first, "2026-01-01", "2026-01-02")
    await log(owner, second, "2026-05-01")
    with service.client("admin", mine.id) as client:
        definition = created(client, threshold(2))
        definition = saved(client, definition, criteria=threshold(2), name="Anew").json()
    late = preview(
        service, mine.id, threshold(1), counts_from="2026-04-01", definition_id=definition["id"]
    ).json()
    assert late["against_version"] == definition["version"]
    assert (late["count"], ids(late)) == (1, [second])
    assert (late["gains"]["count"], ids(late["gains"])) == (1, [second])
    assert (late["losses"]["count"], ids(late["losses"])) == (1, [first])
    assert late["losses"]["items"][0]["earned_on"] == "2026-01-02"
    same = preview(service, mine.id, threshold(2), definition_id=definition["id"]).json()
    assert same["gains"] == same["losses"] == {"count": 0, "items": []}


@pytest.mark.parametrize("text", ['{"version": 1, "type": "threshold"}', "[]", "null"])
async def test_everybody_gains_by_criteria_in_place_of_some_that_are_set_aside(
    service: Service, owner: Pool, mine: Organization, text: str
) -> None:
    await log(owner, mine.mentors[0], "2026-01-01")
    definition_id = await owner.fetchval(
        "INSERT INTO badge_definitions (organization_id, key, criteria) "
        "VALUES ($1, 'bad', $2::text::jsonb) RETURNING id::text",
        mine.id,
        text,
    )
    found = preview(service, mine.id, threshold(1), definition_id=definition_id).json()
    assert ids(found["gains"]) == ids(found) == [mine.mentors[0]]
    assert found["losses"]["count"] == 0


async def test_an_award_that_somebody_took_away_stays_so(
    service: Service, owner: Pool, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        definition = created(client, threshold(1), status="active")
    for mentor in mine.mentors:
        await log(owner, mentor, "2026-01-01")
        await owner.execute(
            "SELECT award_badge($1, $2, '2026-01-01', $3)", mentor, definition["id"], {}
        )
    await owner.execute(
        "UPDATE badge_awards SET revoked_at = now(), revoked_by = 'bo' WHERE peer_mentor_id = $1",
        mine.mentors[0],
    )
    found = preview(service, mine.id, threshold(1), definition_id=definition["id"]).json()
    assert ids(found) == [mine.mentors[1]]
    assert ids(preview(service, mine.id, threshold(1)).json()) == sorted(mine.mentors)


async def test_nobody_holds_what_is_awarded_by_hand(service: Service, mine: Organization) -> None:
    assert preview(service, mine.id, RAW).json()["count"] == 0


async def test_a_definition_of_every_organization_can_be_compared_with(
    service: Service, owner: Pool, mine: Organization
) -> None:
    definition_id = await owner.fetchval(
        "INSERT INTO badge_definitions (key, criteria) VALUES ($1, $2) RETURNING id::text",
        f"everyones-{uuid4()}",
        threshold(5),
    )
    await log(owner, mine.mentors[0], "2026-01-01")
    found = preview(service, mine.id, threshold(1), definition_id=definition_id).json()
    assert (found["against_version"], found["gains"]["count"]) == (1, 1)


async def test_anothers_definition_is_none(
    service: Service, mine: Organization, other: Organization
) -> None:
    with service.client("admin", other.id) as client:
        theirs = created(client, threshold(1))
    for definition_id in (theirs["id"], str(uuid4())):
        refused = preview(service, mine.id, threshold(1), definition_id=definition_id)
        assert refused.status_code == 404


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ('{"criteria": {"version": 1, "type": "any", "of": [], "x": 1}}', "$.x"),
        ('{"criteria": {"version": 1, "version": 1, "type": "all"}}', "$.version"),
        ('{"criteria": {"version": 1, "type": "badges", "badges": ["no-such"]}}', "$.badges[0]"),
        ('{"criteria": NaN}', "$"),
        ('{"counts_from": "2026-01-01"}', "$.criteria"),
        ('{"criteria": {}, "counts_from": "1.1.2026"}', "$.counts_from"),
        ('{"criteria": {}, "definition_id": 5}', "$.definition_id"),
        ('{"criteria": {}, "definition": "x"}', "$.definition"),
        ("[]", "$"),
        ("no json", "$"),
    ],
)
async def test_what_is_wrong_is_told_with_its_path(
    service: Service, mine: Organization, body: str, path: str
) -> None:
    with service.client("admin", mine.id) as client:
        refused = client.post(PATH, content=body, headers={"Content-Type": "application/json"})
    assert refused.status_code == 422, refused.text
    assert refused.headers["content-type"] == "application/problem+json"
    assert path in [each["path"] for each in refused.json()["errors"]], refused.text


async def test_it_is_for_admins(service: Service, mine: Organization) -> None:
    with service.client("coordinator", mine.id) as client:
        assert client.post(PATH, json={"criteria": threshold(1)}).status_code == 403


WORK = {"version": 1, "type": "all", "of": [
    {"type": "streak", "period": "day", "length": 1000, "metric": "minutes", "grace": n}
    for n in range(30)
]}  # fmt: skip
"""Seconds of it, for whoever has thousands of active days."""


@pytest.fixture
async def busy(owner: Pool, mine: Organization) -> str:
    """An organization whose mentor has been active for longer than anybody lives."""
    await owner.execute(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
        "SELECT $1, 'visit', date '1000-01-01' + day FROM generate_series(1, 60000) AS day",
        mine.mentors[0],
    )
    return mine.id


async def test_it_ends_when_it_takes_too_long(
    service: Service, postgres: Stack, tmp_path: Any, busy: str
) -> None:
    url, log = service.database_url, tmp_path / "log"
    with (
        serving_api(postgres, url, log, BADGES_PREVIEW_SECONDS="0.2") as hasty,
        hasty.once("admin", busy) as client,
    ):
        # On a busy machine it may have no connection to Postgres in time.
        for _ in range(10):
            refused = client.post(PATH, json={"criteria": WORK})
            if refused.status_code != 503 or "BADGES_PREVIEW_SECONDS" in refused.json()["detail"]:
                break
    assert refused.status_code == 503
    assert "BADGES_PREVIEW_SECONDS" in refused.json()["detail"]
    assert refused.headers["retry-after"]


HELD_UP = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'badges api' AND wait_event_type = 'Lock'
        AND datname = current_database()
"""


async def test_many_at_once_take_turns_and_leave_connections_for_others(
    service: Service, owner: Pool, mine: Organization
) -> None:
    """Fifteen, where ten connections are: held up by a lock, and let go on."""
    async with service.async_client("admin", mine.id) as client, owner.acquire() as connection:
        async with connection.transaction():
            await connection.execute("LOCK TABLE activities IN ACCESS EXCLUSIVE MODE")
            body = {"criteria": threshold(1)}
            previews = [asyncio.create_task(client.post(PATH, json=body)) for _ in range(15)]
            await _until(owner, 5, HELD_UP)
            assert (await client.get("/v1/badge-definitions")).status_code == 200
            # Each gives up after a while and comes again: never more, now and then fewer.
            assert await owner.fetchval(HELD_UP) <= 5
        answers = await asyncio.gather(*previews)
    assert {answer.status_code for answer in answers} == {200}


RUNNING = """
    SELECT count(*) FROM pg_stat_activity
    WHERE application_name = 'badges api' AND state = 'active' AND query LIKE '%holders%'
        AND datname = current_database()
"""


async def test_it_ends_when_the_client_goes_away(service: Service, owner: Pool, busy: str) -> None:
    async with service.async_client("admin", busy) as client, asyncio.timeout(LIMIT_S):
        asked = asyncio.create_task(client.post(PATH, json={"criteria": WORK}))
        while not (await owner.fetchval(RUNNING) and asked.cancel()):
            if asked.done():  # it has come to its end before anybody saw it at work
                assert asked.result().status_code == 200
                asked = asyncio.create_task(client.post(PATH, json={"criteria": WORK}))
            await asyncio.sleep(0.02)
    await _until(owner, 0)
    with pytest.raises(asyncio.CancelledError):
        await asked


async def _until(owner: Pool, number: int, counted: str = RUNNING) -> None:
    async with asyncio.timeout(LIMIT_S):
        while await owner.fetchval(counted) != number:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
