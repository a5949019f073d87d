"""A preview and the awards that follow are one list: same people, same dates, same tiers."""

from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from random import Random
from typing import Any, TypeAlias
from uuid import UUID

import httpx
import pytest

from tests.api.definitions import created, saved
from tests.api.service import Service, serving_api
from tests.integration.pipeline import Pipeline, Rig, count_of

Holders: TypeAlias = set[tuple[str, str, str | None]]
"""Ids, dates and tiers."""

MENTORS = 40


@pytest.fixture
def service(working: Rig, tmp_path: Path) -> Iterator[Service]:
    """The API beside a pipeline with a worker."""
    p = working.pipeline
    settings = {"BADGES_PREFIX": p.site.prefix}
    with serving_api(p.stack, p.owner_url, tmp_path / "log", **settings) as running:
        yield running


TIERS = [{"name": "bronze", "at_least": 5}, {"name": "silver", "at_least": 20}]
VISITS = count_of(12, "visit")
RULES: dict[str, dict[str, Any]] = {
    "count": VISITS,
    "minutes": {"type": "threshold", "metric": "minutes", "at_least": 600},
    "rolling": count_of(4, window={"rolling_days": 9}),
    "types of a month": {
        "type": "threshold",
        "metric": "distinct_types",
        "at_least": 3,
        "window": {"calendar": "month"},
    },
    "fixed": count_of(6, window={"from": "2026-02-01", "to": "2026-04-30"}),
    "weeks": {"type": "streak", "period": "week", "length": 6, "grace": 1},
    "days": {"type": "streak", "period": "day", "length": 3},
    "tiers": {"type": "tier", "metric": "active_days", "tiers": TIERS},
    "courses": {"type": "training", "courses": ["basic", "ethics"]},
    "badges": {"type": "badges", "badges": ["first"]},
    "all": {"type": "all", "of": [VISITS, {"type": "training", "courses": ["basic"]}]},
    "any": {
        "type": "any",
        "at_least": 2,
        "of": [
            VISITS,
            {"type": "training", "courses": ["ethics"]},
            {"type": "badges", "badges": ["first"]},
        ],
    },
}


async def crowd(p: Pipeline, random: Random) -> UUID:
    """Mentors with half a year behind them, some of it paused, and one badge that is decided."""
    organization = await p.organization("Asia/Kolkata")
    await p.badge(organization, count_of(10, window={"calendar": "quarter"}), key="first")
    mentors = [await p.mentor(organization, active=random.random() < 0.9) for _ in range(MENTORS)]

    def day() -> date:
        return date(2026, 1, 1) + timedelta(days=random.randrange(180))

    await p.pool.executemany(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date, duration_minutes) "
        "VALUES ($1, $2, $3, $4)",
        [
            (mentor, random.choice(["visit", "phone", "chat"]), day(), random.choice([None, 45]))
            for mentor in mentors
            for _ in range(random.randrange(50))
        ],
    )
    await p.pool.executemany(
        "INSERT INTO training_completions (peer_mentor_id, course_code, completed_on) "
        "VALUES ($1, $2, $3)",
        [
            (mentor, course, day())
            for mentor in mentors
            for course in random.sample(["basic", "ethics"], random.randrange(3))
        ],
    )
    await p.pool.executemany(
        "INSERT INTO mentor_pauses (peer_mentor_id, starts_on, ends_on) VALUES ($1, $2, $3)",
        [
            (mentor, start, start + timedelta(days=20))
            for mentor in random.sample(mentors, MENTORS // 2)
            for start in [day()]
        ],
    )
    await p.settle()
    return organization


def previewed(client: httpx.Client, draft: dict[str, Any]) -> Holders:
    """Who would hold a draft, page by page."""
    body = {"criteria": draft["criteria"], "counts_from": draft["counts_from"]}
    found: Holders = set()
    after = None
    while True:
        params = {"limit": 7} | ({"after": after} if after else {})
        answer = client.post("/v1/criteria/preview", json=body, params=params)
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found |= {
            (each["peer_mentor_id"], each["earned_on"], each["tier"]) for each in page["items"]
        }
        after = page["next"]
        if after is None:
            assert page["count"] == len(found)
            return found


async def awarded(p: Pipeline, badge: UUID) -> Holders:
    rows = await p.pool.fetch(
        "SELECT peer_mentor_id::text, earned_on::text, tier FROM badge_awards "
        "WHERE badge_definition_id = $1 AND revoked_at IS NULL",
        badge,
    )
    return {(row["peer_mentor_id"], row["earned_on"], row["tier"]) for row in rows}


def test_who_is_previewed_is_awarded(working: Rig, service: Service) -> None:
    async def test(p: Pipeline) -> None:
        organization = await crowd(p, Random(7))
        with service.client("admin", organization) as client:
            drafts = {
                (name, since): created(client, {"version": 1, **rule}, counts_from=since)
                for name, rule in RULES.items()
                for since in (None, "2026-02-15")
            }
            expected = {each: previewed(client, draft) for each, draft in drafts.items()}
            for draft in drafts.values():
                assert saved(client, draft, status="active").status_code == 200
        await p.settle()
        for each, draft in drafts.items():
            assert await awarded(p, UUID(draft["id"])) == expected[each], each
        # Each rule tells some from others.
        assert all(0 < len(expected[name, None]) < MENTORS for name in RULES)

    working.run(test)


def test_whom_an_edit_takes_a_badge_from_loses_it_where_it_is_revocable(
    working: Rig, service: Service
) -> None:
    async def test(p: Pipeline) -> None:
        organization = await crowd(p, Random(8))
        with service.client("admin", organization) as client:
            old = created(client, {"version": 1, **VISITS}, status="active", revocable=True)
            await p.settle()
            before = await awarded(p, UUID(old["id"]))
            rule = {"version": 1, **RULES["courses"]}
            body = {"criteria": rule, "definition_id": old["id"]}
            told = client.post("/v1/criteria/preview", json=body, params={"limit": MENTORS}).json()
            assert saved(client, old, criteria=rule).status_code == 200
        await p.settle()
        after = await awarded(p, UUID(old["id"]))
        lost, gained = {each[0] for each in before - after}, {each[0] for each in after - before}
        kept = {each[0] for each in before} & {each[0] for each in after}
        assert {each["peer_mentor_id"] for each in told["losses"]["items"]} == lost - kept
        assert {each["peer_mentor_id"] for each in told["gains"]["items"]} == gained - kept
        assert told["count"] == len(after)
        assert lost
        assert gained

    working.run(test)
