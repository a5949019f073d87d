"""What applications write by SQL, and what the stream makes of it, is told whatever it is."""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH
from tests.api.mentors import COUNT, define, grant
from tests.api.service import Service

pytestmark = pytest.mark.anyio

CALENDAR = {"0044-03-15 BC": "0001-01-01", "20000-01-01": "9999-12-31", "infinity": "9999-12-31"}
"""Dates that Postgres knows, and those that answers have for them."""


def answered(client: httpx.Client, path: str) -> Any:
    answer = client.get(path)
    assert answer.status_code == 200, f"{path}: {answer.text}"
    return answer.json()


@pytest.mark.parametrize("day", CALENDAR)
async def test_a_definition_may_count_from_any_date(
    service: Service, owner: Pool, mine: Organization, day: str
) -> None:
    badge = await define(owner, mine.id, COUNT)
    await owner.execute(
        f"UPDATE badge_definitions SET counts_from = date '{day}' WHERE id = $1::text::uuid", badge
    )
    with service.client("coordinator", mine.id) as client:
        (listed,) = (
            each for each in answered(client, f"{PATH}?limit=1000")["items"] if each["id"] == badge
        )
        newest = answered(client, f"{PATH}/{badge}/versions")["items"][0]
        assert answered(client, f"{PATH}/{badge}")["counts_from"] == CALENDAR[day]
    assert listed["counts_from"] == newest["counts_from"] == CALENDAR[day]


@pytest.mark.parametrize("day", CALENDAR)
async def test_a_badge_may_be_earned_on_any_date(
    service: Service, owner: Pool, mine: Organization, day: str
) -> None:
    mentor, badge = mine.mentors[0], await define(owner, mine.id, COUNT)
    await grant(owner, mentor, badge, "2026-01-01")
    await owner.execute(
        f"UPDATE badge_awards SET earned_on = date '{day}' "
        "WHERE badge_definition_id = $1::text::uuid",
        badge,
    )
    with service.client("admin", mine.id) as client:
        (holder,) = answered(client, f"{PATH}/{badge}/awards")["items"]
        path = f"/v1/peer-mentors/{mentor}/badges"
        given = client.post(path, json={"badge_definition_id": badge})
        taken = client.delete(f"{path}/{badge}")
    assert (given.status_code, taken.status_code) == (200, 200)
    for said in (holder, given.json(), taken.json()):
        assert said["earned_on"] == CALENDAR[day]


@pytest.fixture
async def _nullable(owner: Pool) -> AsyncIterator[None]:
    """Let the table be as applications have it."""
    columns = ("name", "description", "revocable")
    alter = "ALTER TABLE badge_definitions ALTER {} {} NOT NULL;"
    await owner.execute("".join(alter.format(each, "DROP") for each in columns))
    yield
    await owner.execute("DELETE FROM badge_definitions WHERE name IS NULL")
    await owner.execute("".join(alter.format(each, "SET") for each in columns))


@pytest.mark.usefixtures("_nullable")
async def test_a_badge_may_be_without_a_name(
    service: Service, owner: Pool, mine: Organization
) -> None:
    nothing: dict[str, Any] = {"name": None, "description": None, "revocable": None}
    mentor, badge = mine.mentors[0], await define(owner, mine.id, COUNT, **nothing)
    await grant(owner, mentor, badge, "2026-01-01")
    with service.client("coordinator", mine.id) as client:
        told = [
            answered(client, f"{PATH}/{badge}"),
            *answered(client, f"{PATH}/{badge}/versions")["items"],
            *answered(client, f"/v1/peer-mentors/{mentor}/badges")["items"],
            *answered(client, f"/v1/peer-mentors/{mentor}/progress")["items"],
        ]
    assert [each["name"] for each in told] == [""] * 4


@pytest.mark.parametrize(
    "evidence",
    ['{"a":' * 2000 + "1" + "}" * 2000, f'{{"n": {"1" * 5000}}}', '{"counts": [1]}', '"a text"'],
    ids=["deep", "long", "uncounted", "text"],
)
async def test_evidence_is_told_as_it_was_given(
    service: Service, owner: Pool, mine: Organization, evidence: str
) -> None:
    mentor, badge = mine.mentors[0], await define(owner, mine.id, COUNT)
    await owner.fetchval(
        "SELECT award_badge($1::text::uuid, $2::text::uuid, NULL, $3::text::jsonb, 'bo') IS NULL",
        *(mentor, badge, evidence),
    )
    with service.client("mentor", mine.id, mentor) as client:
        answer = client.get(f"/v1/peer-mentors/{mentor}/badges")
    assert answer.status_code == 200, answer.text
    written = await owner.fetchval("SELECT $1::text::jsonb::text", evidence)
    assert f'"evidence":{written}' in answer.text
    assert (
        "given by hand by bo" in json.loads(answer.text.replace(written, "null"))["items"][0]["why"]
    )
