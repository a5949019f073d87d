"""An admin previews a badge and makes it active: who was named holds it, and hears of it once."""

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, NamedTuple

import httpx

from sinks.polling import poll
from sinks.pool import Pool
from tests.acceptance.local_stack import LocalStack
from tests.acceptance.people import HERE
from tests.api.unlock_client import Event, messages
from tests.patience import patient_pool
from tests.stack import LIMIT_S

AT_ONCE = 8
"""Requests of those that are made for everybody."""

RULES: Mapping[str, dict[str, Any]] = {
    "busy": {
        "type": "threshold",
        "metric": "count",
        "at_least": 8,
        "window": {"rolling_days": 30},
    },
    "regular": {"type": "streak", "period": "week", "length": 6, "grace": 1},
    "trained": {"type": "training", "courses": ["basic", "ethics"]},
    "hours": {
        "type": "tier",
        "metric": "minutes",
        "tiers": [{"name": "bronze", "at_least": 120}, {"name": "silver", "at_least": 480}],
    },
    "all-round": {"type": "badges", "badges": ["busy", "trained", "hours"], "at_least": 2},
}
"""By key, in the order in which they are made: the last one asks for others."""

HELD = """
    SELECT peer_mentor_id::text, earned_on::text, tier FROM badge_awards
    WHERE badge_definition_id = $1 AND revoked_at IS NULL
"""
ALL_HELD = """
    SELECT peer_mentor_id::text, badge_definition_id::text FROM badge_awards
    WHERE badge_definition_id = ANY ($1) AND revoked_at IS NULL
"""
TAKEN_UP = """
    SELECT count(*) = (SELECT partitions FROM badge_logs WHERE state = 'live')
    FROM badge_rule_positions WHERE id = $1 AND version = $2
"""
UNTOUCHED = """
    SELECT bool_and(next_offset = starts[1 + partition])
    FROM badge_log_positions JOIN badge_logs USING (log_id) WHERE state = 'live'
"""


class Holder(NamedTuple):
    """Somebody who has a badge, or would have it."""

    peer_mentor_id: str
    earned_on: str
    tier: str | None


def test_a_badge_goes_to_those_whom_its_preview_named_and_the_feed_tells_each_once(
    raised: LocalStack,
) -> None:
    asyncio.run(_story(raised))


async def _story(stack: LocalStack) -> None:
    async with (
        await patient_pool(stack.settings["BADGES_DATABASE_URL"], application_name="test") as owner,
        stack.client("admin", HERE) as admin,
        stack.client("coordinator", HERE) as coordinator,
        _following(coordinator) as feed,
    ):
        assert await owner.fetchval(UNTOUCHED), "no partition has had a row since the start"
        badges = {key: await _made(admin, owner, key) for key in RULES}
        wanted = {
            (mentor, made.definition_id)
            for made in badges.values()
            for mentor, _, _ in made.holders
        }
        await _agrees(coordinator, owner, {made.definition_id for made in badges.values()})

        last = await _given_by_hand(admin, owner, badges["trained"].definition_id)
        await poll(partial(feed.has, last), within=LIMIT_S, every=0.02)
    assert Counter(feed.told) == Counter({*wanted, last})
    said = {
        (event.kind, event.data["source"])
        for event in feed.events
        if (event.data["peer_mentor_id"], event.data["badge_definition_id"]) != last
    }
    assert said == {("granted", "replay")}
    dates = {
        (event.data["key"], event.data["peer_mentor_id"]): event.data["earned_on"]
        for event in feed.events
    }
    for key, made in badges.items():
        for holder in made.holders:
            assert dates[key, holder.peer_mentor_id] == holder.earned_on


class Made(NamedTuple):
    """A badge that is active, and who was said to hold it then."""

    definition_id: str
    holders: set[Holder]


async def _made(admin: httpx.AsyncClient, owner: Pool, key: str) -> Made:
    """Draft a badge, look who would hold it, make it active, and see who holds it."""
    criteria = {"version": 1, **RULES[key]}
    answer = await admin.post(
        "/v1/badge-definitions", json={"key": key, "name": key.capitalize(), "criteria": criteria}
    )
    assert answer.status_code == 201, answer.text
    draft, etag = answer.json(), answer.headers["ETag"]
    assert draft["status"] == "draft"
    named = await _previewed(admin, {"criteria": criteria})
    assert 100 < len(named) < 900, "the rule tells people apart"
    assert (
        await owner.fetchval(
            "SELECT count(*) FROM badge_awards WHERE badge_definition_id = $1", draft["id"]
        )
        == 0
    )

    answer = await admin.put(
        f"/v1/badge-definitions/{draft['id']}",
        json={**draft, "status": "active"},
        headers={"If-Match": etag},
    )
    active = time.monotonic()
    assert answer.status_code == 200, answer.text

    async def everybody_holds_it() -> bool:
        return named <= await _holders(owner, draft["id"])

    await poll(everybody_holds_it, within=LIMIT_S, every=0.02)
    seconds = time.monotonic() - active
    print(f"{key}: {len(named)} of {HERE.mentors} hold it {seconds:.2f} s after it was saved")
    taken_up = partial(owner.fetchval, TAKEN_UP, draft["id"], answer.json()["version"])
    await poll(taken_up, within=LIMIT_S, every=0.02)
    assert await _holders(owner, draft["id"]) == named
    return Made(draft["id"], named)


async def _previewed(admin: httpx.AsyncClient, body: dict[str, Any]) -> set[Holder]:
    """Everybody whom a preview names, page by page."""
    found: list[Holder] = []
    place: dict[str, str] = {}
    while True:
        answer = await admin.post("/v1/criteria/preview", json=body, params={"limit": 400, **place})
        assert answer.status_code == 200, answer.text
        page = answer.json()
        found += [
            Holder(each["peer_mentor_id"], each["earned_on"], each["tier"])
            for each in page["items"]
        ]
        if page["next"] is None:
            break
        place = {"after": page["next"]}
    assert len(found) == len({*found}) == page["count"]
    return {*found}


async def _holders(owner: Pool, definition_id: str) -> set[Holder]:
    return {Holder(*row) for row in await owner.fetch(HELD, definition_id)}


async def _agrees(coordinator: httpx.AsyncClient, owner: Pool, definitions: set[str]) -> None:
    """What /progress says of every mentor is what the awards say."""
    held = {(row[0], row[1]) for row in await owner.fetch(ALL_HELD, definitions)}
    mentors = await owner.fetch(
        "SELECT id::text, active FROM peer_mentors WHERE organization_id = $1", HERE.id
    )
    assert len(mentors) == HERE.mentors
    turns = asyncio.Semaphore(AT_ONCE)

    async def agrees(mentor: str, *, active: bool) -> None:
        async with turns:
            answer = await coordinator.get(f"/v1/peer-mentors/{mentor}/progress")
        assert answer.status_code == 200, answer.text
        items = {each["badge_definition_id"]: each for each in answer.json()["items"]}
        assert definitions <= items.keys()
        for definition in definitions:
            item = items[definition]
            assert item["held"] == ((mentor, definition) in held), item
            assert (item["percent"] == 100) == (item["missing"] is None), item
            # Somebody who is not active may have come as far, and is given nothing.
            assert not active or item["held"] == (item["percent"] == 100), item

    async with asyncio.TaskGroup() as group:
        for mentor, active in mentors:
            group.create_task(agrees(mentor, active=active))


async def _given_by_hand(
    admin: httpx.AsyncClient, owner: Pool, definition_id: str
) -> tuple[str, str]:
    """Give the badge to somebody who is not active, to whom no rule gives any."""
    mentor: str = await owner.fetchval(
        "SELECT id::text FROM peer_mentors WHERE organization_id = $1 AND NOT active LIMIT 1",
        HERE.id,
    )
    answer = await admin.post(
        f"/v1/peer-mentors/{mentor}/badges", json={"badge_definition_id": definition_id}
    )
    assert answer.status_code == 201, answer.text
    return mentor, definition_id


@dataclass
class Feed:
    """What an open feed has shown."""

    events: list[Event] = field(default_factory=list)

    @property
    def told(self) -> list[tuple[str, str]]:
        """Whose badge, and which, of each event."""
        return [
            (event.data["peer_mentor_id"], event.data["badge_definition_id"])
            for event in self.events
        ]

    async def has(self, unlock: tuple[str, str]) -> bool:
        return unlock in self.told


@asynccontextmanager
async def _following(client: httpx.AsyncClient) -> AsyncIterator[Feed]:
    """A feed that is open all the time."""
    feed = Feed()
    has_begun = asyncio.Event()

    async def read() -> None:
        async with client.stream("GET", "/v1/unlocks") as answer:
            assert answer.status_code == 200, await answer.aread()
            async for event in messages(answer):
                has_begun.set()
                if event.kind:
                    feed.events.append(event)

    reading = asyncio.create_task(read())
    async with asyncio.timeout(LIMIT_S):
        await has_begun.wait()
    try:
        yield feed
    finally:
        assert not reading.done(), "one connection for the whole story"
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
