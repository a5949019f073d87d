"""/v1/peer-mentors/{id}/badges: which badges a mentor holds, and why."""

from typing import Any

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.mentors import COUNT, define, grant
from tests.api.service import Service

pytestmark = pytest.mark.anyio

FIELDS = {
    "badge_definition_id", "key", "name", "description", "icon", "tier", "earned_on", "earned_at",
    "tier_earned_on", "awarded_by", "definition_version", "evidence", "why",
}  # fmt: skip

STREAK = {"type": "streak", "period": "day", "length": 3}
TRAINING = {"type": "training", "courses": ["basic"]}
TIERS = [{"name": "bronze", "at_least": 10}, {"name": "silver", "at_least": 50}]


def badges(
    service: Service, organization: Organization, language: str = "en", **params: Any
) -> list[dict[str, Any]]:
    """The items of the organization's first mentor."""
    mentor = organization.mentors[0]
    with service.client("mentor", organization.id, mentor) as client:
        answer = client.get(
            f"/v1/peer-mentors/{mentor}/badges",
            headers={"Accept-Language": language},
            params=params,
        )
    assert answer.status_code == 200, answer.text
    found: list[dict[str, Any]] = answer.json()["items"]
    return found


async def test_they_have_the_contracts_fields(
    service: Service, owner: Pool, mine: Organization
) -> None:
    definition = await define(owner, mine.id, COUNT, key="four", name="Four", icon="star")
    evidence = {"definition_version": 1, "rows": [], "counts": {"$": 4}, "position": {"offset": 7}}
    await grant(owner, mine.mentors[0], definition, "2026-05-03", evidence)
    assert badges(service, mine) == [
        {
            "badge_definition_id": definition,
            "key": "four",
            "name": "Four",
            "description": "What it is for",
            "icon": "star",
            "tier": None,
            "earned_on": "2026-05-03",
            "earned_at": "2026-05-02T22:00:00Z",
            "tier_earned_on": None,
            "awarded_by": "rule",
            "definition_version": 1,
            "evidence": evidence,
            "why": "4 activities, reached on 3 May 2026",
        }
    ]


async def test_revoked_ones_are_told_when_asked_for(
    service: Service, owner: Pool, mine: Organization
) -> None:
    kept, taken = [await define(owner, mine.id, COUNT) for _ in range(2)]
    for definition in (kept, taken):
        await grant(owner, mine.mentors[0], definition, "2026-05-03")
    await owner.execute(
        "UPDATE badge_awards SET revoked_by = 'an admin' WHERE badge_definition_id = $1", taken
    )
    assert [item["badge_definition_id"] for item in badges(service, mine)] == [kept]
    every = {item["badge_definition_id"]: item for item in badges(service, mine, include="revoked")}
    assert all(set(item) == FIELDS | {"revoked_at", "revoked_by"} for item in every.values())
    assert {each: item["revoked_by"] for each, item in every.items()} == {
        kept: None,
        taken: "an admin",
    }
    assert every[taken]["revoked_at"] is not None


async def test_pages_follow_each_other(service: Service, owner: Pool, mine: Organization) -> None:
    mentor = mine.mentors[0]
    definitions = sorted([await define(owner, mine.id, COUNT) for _ in range(3)])
    for definition in definitions:
        await grant(owner, mentor, definition, "2026-05-03")
    with service.client("coordinator", mine.id) as client:
        first = client.get(f"/v1/peer-mentors/{mentor}/badges", params={"limit": 2}).json()
        rest = client.get(
            f"/v1/peer-mentors/{mentor}/badges", params={"limit": 2, "after": first["next"]}
        ).json()
    found = [item["badge_definition_id"] for item in [*first["items"], *rest["items"]]]
    assert (found, rest["next"]) == (definitions, None)


WHY: list[tuple[Any, dict[str, int], str, str]] = [
    (
        COUNT | {"at_least": 50}, {"$": 50},
        "50 activities, reached on 3 May 2026", "50 aktiviteter, nådd 3. mai 2026",
    ),
    (
        STREAK, {"$": 3},
        "3 days in a row with 1 activity each, reached on 3 May 2026",
        "3 dager på rad med 1 aktivitet hver, nådd 3. mai 2026",
    ),
    (
        {"type": "any", "of": [STREAK, TRAINING]}, {"$.of[1]": 1},
        "the course basic completed, reached on 3 May 2026",
        "kurset basic fullført, nådd 3. mai 2026",
    ),
    (
        {"type": "any", "of": [STREAK, TRAINING]}, {},
        "3 days in a row with 1 activity each or the course basic completed, "
        "reached on 3 May 2026",
        "3 dager på rad med 1 aktivitet hver eller kurset basic fullført, nådd 3. mai 2026",
    ),
    (
        {"type": "all", "of": [COUNT, {"type": "any", "of": [STREAK, TRAINING]}]},
        {"$.of[0]": 4, "$.of[1].of[0]": 3},
        "4 activities and 3 days in a row with 1 activity each, reached on 3 May 2026",
        "4 aktiviteter og 3 dager på rad med 1 aktivitet hver, nådd 3. mai 2026",
    ),
    (
        {"type": "any", "of": [{"type": "all", "of": [COUNT, TRAINING]}, STREAK]},
        {"$.of[0].of[0]": 4, "$.of[0].of[1]": 1, "$.of[1]": 3},
        "(4 activities and the course basic completed) and 3 days in a row with 1 activity each, "
        "reached on 3 May 2026",
        "(4 aktiviteter og kurset basic fullført) og 3 dager på rad med 1 aktivitet hver, "
        "nådd 3. mai 2026",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("criteria", "counts", "english", "norwegian"), WHY)
async def test_why_is_what_earned_it(
    service: Service,
    owner: Pool,
    mine: Organization,
    criteria: Any,
    counts: dict[str, int],
    english: str,
    norwegian: str,
) -> None:
    definition = await define(owner, mine.id, criteria)
    await grant(owner, mine.mentors[0], definition, "2026-05-03", {"counts": counts})
    assert [item["why"] for item in badges(service, mine)] == [english]
    assert [item["why"] for item in badges(service, mine, "nb")] == [norwegian]


async def test_why_of_a_tier_is_of_the_one_that_is_held(
    service: Service, owner: Pool, mine: Organization
) -> None:
    definition = await define(owner, mine.id, {"type": "tier", "metric": "count", "tiers": TIERS})
    await grant(
        owner, mine.mentors[0], definition, "2026-01-02", tier="silver", tier_on="2026-05-03"
    )
    (item,) = badges(service, mine)
    assert (item["earned_on"], item["tier_earned_on"]) == ("2026-01-02", "2026-05-03")
    assert item["why"] == "silver: 50 activities, reached on 3 May 2026"


async def test_why_stays_when_the_definition_changes(
    service: Service, owner: Pool, mine: Organization
) -> None:
    definition = await define(owner, mine.id, COUNT)
    await grant(owner, mine.mentors[0], definition, "2026-05-03")
    await owner.execute(
        "UPDATE badge_definitions SET criteria = $2, name = 'New', status = 'retired' "
        "WHERE id = $1",
        definition,
        {"version": 1} | COUNT | {"at_least": 9},
    )
    (item,) = badges(service, mine)
    assert (item["name"], item["definition_version"]) == ("New", 1)
    assert item["why"] == "4 activities, reached on 3 May 2026"


@pytest.mark.parametrize("criteria", [{"type": "threshold", "metric": "karma"}, "text", None])
async def test_why_is_plain_where_the_criteria_are_not_valid_any_more(
    service: Service, owner: Pool, mine: Organization, criteria: Any
) -> None:
    definition = await define(owner, mine.id, criteria)
    await grant(owner, mine.mentors[0], definition, "2026-05-03", ["no", "object"])
    (item,) = badges(service, mine)
    assert item["why"] == "what the badge asked for then, reached on 3 May 2026"
    (item,) = badges(service, mine, "no")
    assert item["why"] == "det merket krevde den gang, nådd 3. mai 2026"


async def test_why_says_who_gave_it_by_hand(
    service: Service, owner: Pool, mine: Organization
) -> None:
    definition = await define(owner, mine.id, COUNT)
    await owner.execute(
        "SELECT FROM award_badge($1, $2, '2026-05-03 10:00+00', '{}', 'Kari at the office')",
        mine.mentors[0],
        definition,
    )
    (item,) = badges(service, mine)
    assert item["why"] == "given by hand by Kari at the office on 3 May 2026"
    assert item["awarded_by"] == "Kari at the office"
    (item,) = badges(service, mine, "nb")
    assert item["why"] == "tildelt for hånd av Kari at the office 3. mai 2026"
