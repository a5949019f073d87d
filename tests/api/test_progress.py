"""/v1/peer-mentors/{id}/progress: how far a mentor is with each badge."""

from datetime import date, timedelta
from typing import Any

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.mentors import COUNT, define, grant, log
from tests.api.service import Service

pytestmark = pytest.mark.anyio

ITEM = {
    "badge_definition_id", "key", "name", "held", "tier", "next_tier", "done", "needed", "unit",
    "percent", "missing", "at_risk_until", "parts",
}  # fmt: skip
PART = {"next_tier", "done", "needed", "unit", "percent", "missing", "at_risk_until", "parts"}


def asked(
    service: Service, organization: Organization, language: str = "en", **params: Any
) -> dict[str, Any]:
    """The progress of the organization's first mentor."""
    mentor = organization.mentors[0]
    with service.client("mentor", organization.id, mentor) as client:
        answer = client.get(
            f"/v1/peer-mentors/{mentor}/progress",
            headers={"Accept-Language": language},
            params=params,
        )
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


async def test_it_says_how_much_is_done_and_missing(
    service: Service, owner: Pool, mine: Organization
) -> None:
    definition = await define(owner, mine.id, COUNT, key="four", name="Four")
    await log(owner, mine.mentors[0], "2026-01-01", "2026-01-02", "2026-01-02")
    found = asked(service, mine)
    assert set(found) == {"items", "next", "as_of"}
    assert found["next"] is None
    assert [item for item in found["items"] if item["key"] == "four"] == [
        {
            "badge_definition_id": definition,
            "key": "four",
            "name": "Four",
            "held": False,
            "tier": None,
            "next_tier": None,
            "done": 3,
            "needed": 4,
            "unit": "activities",
            "percent": 75,
            "missing": "1 more activity",
            "at_risk_until": None,
            "parts": [],
        }
    ]


async def test_it_answers_in_the_callers_language(
    service: Service, owner: Pool, mine: Organization
) -> None:
    parts = [COUNT, {"type": "training", "courses": ["basic", "ethics"]}]
    await define(owner, mine.id, {"type": "all", "of": parts})
    (item,) = asked(service, mine, "nb-NO")["items"]
    assert set(item) == ITEM
    assert (item["unit"], item["missing"]) == ("deler", "ytterligere 2 av 2 deler")
    assert [set(part) for part in item["parts"]] == [PART, PART]
    assert [(part["unit"], part["missing"]) for part in item["parts"]] == [
        ("aktiviteter", "ytterligere 4 aktiviteter"),
        ("kurs", "kursene basic og ethics"),
    ]


async def test_what_is_held_and_its_next_tier(
    service: Service, owner: Pool, mine: Organization
) -> None:
    tiers = [{"name": "bronze", "at_least": 2}, {"name": "silver", "at_least": 8}]
    definition = await define(owner, mine.id, {"type": "tier", "metric": "count", "tiers": tiers})
    await log(owner, mine.mentors[0], "2026-01-01", "2026-01-02", "2026-01-03")
    await grant(
        owner, mine.mentors[0], definition, "2026-01-02", tier="bronze", tier_on="2026-01-02"
    )
    (item,) = asked(service, mine)["items"]
    assert (item["held"], item["tier"], item["next_tier"]) == (True, "bronze", "silver")
    assert (item["done"], item["needed"], item["percent"], item["missing"]) == (3, 8, 100, None)
    await owner.execute(
        "UPDATE badge_awards SET revoked_at = now() WHERE badge_definition_id = $1", definition
    )
    (item,) = asked(service, mine)["items"]
    assert (item["held"], item["tier"]) == (False, None)


async def test_what_applies_is_active_and_of_the_mentors_organization_or_of_every_one(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    own = await define(owner, mine.id, COUNT, key="own")
    everybodys = await define(owner, None, COUNT, key=f"global of {mine.id}")
    try:
        for status in ("draft", "retired"):
            await define(owner, mine.id, COUNT, status=status)
        await define(owner, other.id, COUNT)
        found = [item["badge_definition_id"] for item in asked(service, mine)["items"]]
        assert found == sorted([own, everybodys])
    finally:
        await owner.execute("DELETE FROM badge_definitions WHERE id = $1", everybodys)


async def test_what_is_awarded_by_hand_holds_for_whoever_has_it(
    service: Service, owner: Pool, mine: Organization
) -> None:
    raw = {"type": "raw", "criteria_raw": {"by": "jury"}, "reason": "a jury chooses"}
    definition = await define(owner, mine.id, raw)
    (item,) = asked(service, mine)["items"]
    assert (item["held"], item["percent"], item["done"], item["needed"]) == (False, 0, 0, 1)
    assert (item["unit"], item["missing"]) == ("awards by hand", "somebody who awards it by hand")
    await owner.fetch("SELECT award_badge($1, $2, NULL, NULL)", mine.mentors[0], definition)
    (item,) = asked(service, mine)["items"]
    assert (item["held"], item["percent"], item["missing"]) == (True, 100, None)


BROKEN: list[Any] = [
    "text", 7, None, [], {}, {"type": "threshold"}, {"type": "no such type"},
    COUNT | {"at_least": "many"}, COUNT | {"at_least": 10**30}, COUNT | {"unknown": 1},
    COUNT | {"activity_types": "visit"}, COUNT | {"window": {"from": "no date", "to": "2026"}},
    COUNT | {"window": {"rolling_days": 1e300}}, {"type": "all", "of": 3},
    {"type": "all", "of": []},
    {"type": "streak", "period": "fortnight", "length": 2}, {"type": "streak", "period": 5},
    {"type": "streak", "period": "day", "length": {}, "grace": "1 more"},
    {"type": "tier", "metric": "count", "tiers": {"name": "bronze"}},
    {"type": "training", "courses": {"basic": 1}}, {"type": "badges", "badges": [["nested"]]},
    {"type": "any", "of": [COUNT, {"type": "streak", "period": "day", "length": []}]},
]  # fmt: skip


async def test_criteria_that_are_not_valid_are_left_out_and_stop_nothing(
    service: Service, owner: Pool, mine: Organization
) -> None:
    good = await define(owner, mine.id, COUNT)
    for criteria in BROKEN:
        await define(owner, mine.id, criteria)
    await log(owner, mine.mentors[0], "2026-01-01")
    found = asked(service, mine)
    assert [item["badge_definition_id"] for item in found["items"]] == [good]
    through: list[Any] = []
    after = None
    while True:
        shown = asked(service, mine, limit=2, **({"after": after} if after else {}))
        through += shown["items"]
        after = shown["next"]
        if after is None:
            break
    assert [item["badge_definition_id"] for item in through] == [good]


async def test_what_the_worker_has_set_aside_is_left_out(
    service: Service, owner: Pool, mine: Organization
) -> None:
    definition = await define(
        owner, mine.id, {"type": "badges", "badges": ["itself"]}, key="itself"
    )
    assert len(asked(service, mine)["items"]) == 1
    alert = await owner.fetchval(
        "INSERT INTO badge_alerts (kind, detail) VALUES ('definition_invalid', "
        "jsonb_build_object('subject', $1::text)) RETURNING id",
        definition,
    )
    assert asked(service, mine)["items"] == []
    await owner.execute("UPDATE badge_alerts SET resolved_at = now() WHERE id = $1", alert)
    assert len(asked(service, mine)["items"]) == 1


async def test_a_streak_says_until_when_it_can_be_saved(
    service: Service, owner: Pool, mine: Organization
) -> None:
    today: date = await owner.fetchval("SELECT (now() AT TIME ZONE 'Europe/Oslo')::date")
    streak = {"type": "streak", "period": "day", "length": 5}
    long = {"type": "threshold", "metric": "count", "at_least": 100}
    await define(owner, mine.id, streak, key="streak")
    await define(owner, mine.id, streak | {"grace": 1}, key="forgiving")
    await define(owner, mine.id, streak | {"length": 2}, key="reached")
    await define(owner, mine.id, {"type": "all", "of": [long, streak]}, key="both")
    await define(
        owner, mine.id, {"type": "any", "of": [COUNT | {"at_least": 1}, streak]}, key="any"
    )
    await log(owner, mine.mentors[0], *(today - timedelta(days) for days in (1, 2)))
    found = {item["key"]: item["at_risk_until"] for item in asked(service, mine)["items"]}
    assert found == {
        "streak": str(today),
        "forgiving": None,
        "reached": None,
        "both": str(today),
        "any": None,
    }
    await log(owner, mine.mentors[0], today)
    found = {item["key"]: item["at_risk_until"] for item in asked(service, mine)["items"]}
    assert set(found.values()) == {None}


@pytest.mark.parametrize("path", ["progress", "badges", "stats"])
async def test_as_of_is_what_the_log_says(
    service: Service, owner: Pool, mine: Organization, path: str
) -> None:
    url = f"/v1/peer-mentors/{mine.mentors[0]}/{path}"
    with service.client("coordinator", mine.id) as client:
        assert client.get(url).json()["as_of"] is None
        await owner.execute(
            "INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions, "
            "system_identifier, timeline, state, decided_until) "
            "VALUES ('a log', 1, '', '', '', 1, '', 1, 'live', '2026-05-03 10:00+00')"
        )
        try:
            assert client.get(url).json()["as_of"] == "2026-05-03T10:00:00Z"
        finally:
            await owner.execute("DELETE FROM badge_logs")


@pytest.mark.parametrize("path", ["progress", "badges", "stats"])
async def test_it_is_the_mentors_own_and_their_coordinators(
    service: Service, mine: Organization, other: Organization, path: str
) -> None:
    mentor, colleague = mine.mentors
    url = f"/v1/peer-mentors/{mentor}/{path}"
    for role, organization, sub, status in (
        ("mentor", mine, mentor, 200),
        ("mentor", mine, colleague, 404),
        ("coordinator", mine, None, 200),
        ("admin", mine, None, 200),
        ("coordinator", other, None, 404),
        ("admin", other, None, 404),
        ("mentor", other, mentor, 404),
    ):
        with service.client(role, organization.id, sub) as client:
            answer = client.get(url)
        assert answer.status_code == status, (role, answer.text)
        if status == 404:
            assert answer.headers["content-type"] == "application/problem+json"
