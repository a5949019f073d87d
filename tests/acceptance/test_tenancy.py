"""What an admin of another organization comes to know by asking for everything: nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any, Final
from uuid import uuid4

import httpx

from sinks.polling import poll
from sinks.pool import Pool
from tests.acceptance.local_stack import LocalStack
from tests.acceptance.people import HERE, THERE
from tests.api.definitions import RAW
from tests.api.unlock_client import Event, messages
from tests.patience import patient_pool
from tests.stack import LIMIT_S

SECRET: Final = "the-skittles-cup"
ANYTHING: Final = {"version": 1, "type": "threshold", "metric": "count", "at_least": 1}
DEFINITION: Final = {"key": "new", "name": "New", "criteria": ANYTHING}
IDEMPOTENT: Final = {"Idempotency-Key": "first"}

BODIES: Final[Mapping[str, Any]] = {
    "PUT /v1/badge-definitions/{definition_id}": DEFINITION,
    "POST /v1/peer-mentors/{peer_mentor_id}/badges": {"badge_definition_id": "{definition_id}"},
    "POST /v1/criteria/preview": {"criteria": ANYTHING, "definition_id": "{definition_id}"},
}
"""What is sent with the calls that are about something that there is, and take a body."""
WITHOUT_IDS: Final = {
    "GET /healthz",
    "GET /metrics",
    "GET /readyz",
    "GET /v1/badge-definitions",
    "GET /v1/lag",
    "GET /v1/me",
    "GET /v1/peer-mentors",
    "GET /v1/status",
    "GET /v1/unlocks",
    "GET /v1/vocabulary",
    "POST /v1/badge-definitions",
    "POST /v1/criteria/validate",
}
"""The calls that are about nothing of another organization: what these answer is looked through."""
CONDITIONS: Final[Sequence[dict[str, str]]] = (
    {},
    {"If-Match": "*"},
    {"If-Match": '"1"', "Accept-Language": "nb"},
    {"If-Match": '"2"', "If-None-Match": '"2"'},
    {"If-None-Match": '"1"'},
)
"""Headers that are compared with what there is."""
NOT_COMPARED: Final = {"date", "x-request-id"}

TAKEN_UP: Final = """
    SELECT count(*) = (SELECT partitions FROM badge_logs WHERE state = 'live')
    FROM badge_rule_positions WHERE id = $1
"""
STATE: Final = (
    "SELECT t::text FROM badge_definitions t WHERE organization_id = $1",
    "SELECT t::text FROM badge_definition_versions t WHERE organization_id = $1",
    "SELECT t::text FROM badge_awards t JOIN peer_mentors m ON m.id = t.peer_mentor_id "
    "WHERE m.organization_id = $1",
    "SELECT t::text FROM badge_award_events t JOIN peer_mentors m ON m.id = t.peer_mentor_id "
    "WHERE m.organization_id = $1",
    "SELECT t::text FROM peer_mentors t WHERE organization_id = $1",
)
"""All that a caller could change of an organization."""


@dataclass(frozen=True)
class Ids:
    """What a call is about."""

    peer_mentor_id: str
    definition_id: str

    def put_into(self, text: str) -> str:
        """The path or body of a call, with the ids in their places."""
        return text.replace("{peer_mentor_id}", self.peer_mentor_id).replace(
            "{definition_id}", self.definition_id
        )

    def taken_out_of(self, text: str) -> str:
        return text.replace(self.peer_mentor_id, "ID").replace(self.definition_id, "ID")


def test_another_organization_reads_changes_and_infers_nothing(raised: LocalStack) -> None:
    asyncio.run(_story(raised))


async def _story(stack: LocalStack) -> None:
    async with (
        await patient_pool(stack.settings["BADGES_DATABASE_URL"], application_name="test") as owner,
        stack.client("admin", HERE) as admin,
        stack.client("admin", THERE) as stranger,
    ):
        cursor = (await anext(_feed(admin))).id
        here = await _earned(admin, owner)
        own = await _given(stranger, owner)
        before = await _state(owner)

        calls = await _calls(stranger)
        assert calls - _about_something(calls) == WITHOUT_IDS
        for call in _about_something(calls):
            await _tells_nothing_of(stranger, call, here, own)
        await _lists_nothing_of(stranger, await _secrets(owner))
        await _names_are_unknown(stranger)
        await _counts_are_its_own(stranger, owner)
        await _may_use_what_is_taken_elsewhere(stranger)
        # Somebody else's place in the feed shows what is one's own.
        event = await anext(_feed(stranger, cursor))
        assert event.data["badge_definition_id"] == own.definition_id
        assert await _state(owner) == before


async def _earned(admin: httpx.AsyncClient, owner: Pool) -> Ids:
    """A badge that somebody has earned, and whose existence is nobody else's business."""
    criteria = {**ANYTHING, "activity_types": [HERE.own_type]}
    answer = await admin.post(
        "/v1/badge-definitions",
        json={"key": SECRET, "name": "The cup", "criteria": criteria, "status": "active"},
        headers=IDEMPOTENT,
    )
    assert answer.status_code == 201, answer.text
    definition: str = answer.json()["id"]
    taken_up = partial(owner.fetchval, TAKEN_UP, definition)
    await poll(taken_up, within=LIMIT_S, every=0.02)
    holder = await owner.fetchval(
        "SELECT peer_mentor_id::text FROM badge_awards WHERE badge_definition_id = $1 LIMIT 1",
        definition,
    )
    assert holder is not None
    return Ids(holder, definition)


async def _given(stranger: httpx.AsyncClient, owner: Pool) -> Ids:
    """A badge of the other organization, which one of its mentors has been given."""
    answer = await stranger.post(
        "/v1/badge-definitions",
        json={"key": "jury", "name": "The jury's", "criteria": RAW, "status": "active"},
    )
    assert answer.status_code == 201, answer.text
    definition: str = answer.json()["id"]
    mentor: str = await owner.fetchval(
        "SELECT id::text FROM peer_mentors WHERE organization_id = $1 LIMIT 1", THERE.id
    )
    answer = await stranger.post(
        f"/v1/peer-mentors/{mentor}/badges", json={"badge_definition_id": definition}
    )
    assert answer.status_code == 201, answer.text
    return Ids(mentor, definition)


async def _state(owner: Pool) -> list[set[str]]:
    return [{row[0] for row in await owner.fetch(select, HERE.id)} for select in STATE]


async def _secrets(owner: Pool) -> set[str]:
    """Ids and names that stand for what is in the organization."""
    mentors = "SELECT id::text FROM peer_mentors WHERE organization_id = $1"
    definitions = "SELECT id::text FROM badge_definitions WHERE organization_id = $1"
    rows = [*await owner.fetch(mentors, HERE.id), *await owner.fetch(definitions, HERE.id)]
    names = {HERE.slug, HERE.slug.capitalize(), HERE.own_type, HERE.own_course, SECRET}
    return names | {str(HERE.id)} | {row[0] for row in rows}


async def _calls(client: httpx.AsyncClient) -> set[str]:
    """Every method and path that /openapi.json describes."""
    described = (await client.get("/openapi.json")).json()
    return {
        f"{method.upper()} {path}"
        for path, operations in described["paths"].items()
        for method in operations
    }


def _about_something(calls: set[str]) -> set[str]:
    return {call for call in calls if "{" in call or call in BODIES}


async def _tells_nothing_of(client: httpx.AsyncClient, call: str, here: Ids, own: Ids) -> None:
    """The answer for what is another organization's is that for what is nowhere, byte by byte."""
    body = json.dumps(BODIES[call]) if call in BODIES else ""
    places = [name for name in asdict(own) if f"{{{name}}}" in call + body]
    assert places
    for count in range(1, len(places) + 1):
        for strange in combinations(places, count):
            theirs = replace(own, **{name: getattr(here, name) for name in strange})
            nowhere = replace(own, **{name: str(uuid4()) for name in strange})
            for headers in CONDITIONS:
                about_theirs, about_nothing = [
                    _told(await _asked(client, call, body, ids, headers), ids)
                    for ids in (theirs, nowhere)
                ]
                assert about_theirs == about_nothing
                assert about_theirs[0] == 404


async def _asked(
    client: httpx.AsyncClient, call: str, body: str, ids: Ids, headers: dict[str, str]
) -> httpx.Response:
    method, path = ids.put_into(call).split()
    as_json = {"Content-Type": "application/json"} if body else {}
    return await client.request(
        method, path, content=ids.put_into(body) or None, headers=headers | as_json
    )


def _told(answer: httpx.Response, ids: Ids) -> tuple[int, dict[str, str], str]:
    """All that an answer says, but for the ids that were asked about."""
    headers = {name: text for name, text in answer.headers.items() if name not in NOT_COMPARED}
    return answer.status_code, headers, ids.taken_out_of(answer.text)


async def _lists_nothing_of(client: httpx.AsyncClient, secrets: set[str]) -> None:
    """What can be read without an id has no name and no id of the other organization."""
    for call in sorted(WITHOUT_IDS - {"GET /v1/unlocks"}):
        method, path = call.split()
        if method == "GET":
            answer = await client.get(path, params={"search": HERE.slug, "limit": 1_000})
            assert answer.status_code == 200, answer.text
            assert [each for each in secrets if each in answer.text] == []
    assert (await client.get("/v1/peer-mentors", params={"search": HERE.slug})).json() == {
        "items": [],
        "next": None,
    }


async def _names_are_unknown(client: httpx.AsyncClient) -> None:
    """Criteria that name what the other organization has, or nearly, are told of as nonsense is."""
    nonsense = "qwxjkvbz"
    for criteria in (
        {"type": "badges", "badges": [SECRET]},
        {"type": "badges", "badges": [SECRET[:-1]]},
        {**ANYTHING, "activity_types": [HERE.own_type]},
        {**ANYTHING, "activity_types": [HERE.own_type[:-1]]},
        {"type": "training", "courses": [HERE.own_course]},
        {"type": "training", "courses": [HERE.own_course[:-1]]},
    ):
        [name] = next(names for names in criteria.values() if isinstance(names, list))
        document = json.dumps({"version": 1, **criteria})
        for path, body in (
            ("/v1/criteria/validate", document),
            ("/v1/criteria/preview", f'{{"criteria": {document}}}'),
        ):
            told = [
                (answer.status_code, answer.text.replace(named, "NAME"))
                for named in (name, nonsense)
                for answer in [await client.post(path, content=body.replace(name, named))]
            ]
            assert told[0] == told[1]


async def _counts_are_its_own(client: httpx.AsyncClient, owner: Pool) -> None:
    """A preview counts the mentors of the organization that asks."""
    answer = await client.post("/v1/criteria/preview", json={"criteria": ANYTHING})
    assert answer.json()["count"] == await owner.fetchval(
        """
        SELECT count(*) FROM peer_mentors AS m WHERE organization_id = $1 AND active
            AND EXISTS (SELECT FROM activities WHERE peer_mentor_id = m.id)
        """,
        THERE.id,
    )


async def _may_use_what_is_taken_elsewhere(client: httpx.AsyncClient) -> None:
    """The key of a badge, and that of a request."""
    answer = await client.post(
        "/v1/badge-definitions",
        json={"key": SECRET, "name": "Ours", "criteria": ANYTHING},
        headers=IDEMPOTENT,
    )
    assert answer.status_code == 201, answer.text
    assert answer.json()["organization_id"] == str(THERE.id)


async def _feed(client: httpx.AsyncClient, cursor: str | None = None) -> AsyncIterator[Event]:
    """What the feed sends, from a place in it; one that has no kind says only where it is."""
    headers = {} if cursor is None else {"Last-Event-ID": cursor}
    async with client.stream("GET", "/v1/unlocks", headers=headers) as answer:
        assert answer.status_code == 200, await answer.aread()
        async for event in messages(answer):
            yield event
