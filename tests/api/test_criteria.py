"""/v1/criteria/validate: what is wrong with criteria, as far as the caller's organization tells."""

import json
from typing import Any

import httpx
import pytest

from sinks.pool import Pool
from tables.criteria.parsing import MAX_TEXT
from tables.criteria.schema import json_schema
from tests.api.conftest import Organization
from tests.api.definitions import FIRST, VISITS, badges
from tests.api.mentors import define
from tests.api.service import Service
from tests.stack import LIMIT_S
from tests.verdicts import VERDICTS, text_of, verdict_of

pytestmark = pytest.mark.anyio

PATH = "/v1/criteria/validate"


async def live(owner: Pool, mentor: str) -> None:
    """A visit, a phone call and a course."""
    await owner.execute(
        """
        INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date)
        SELECT gen_random_uuid(), $1, type, '2026-01-01'
        FROM unnest(ARRAY['visit', 'phone']) AS type
        """,
        mentor,
    )
    await owner.execute(
        """
        INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on)
        VALUES (gen_random_uuid(), $1, 'basic', '2026-01-01')
        """,
        mentor,
    )


def told(client: httpx.Client, document: object, language: str = "en") -> dict[str, Any]:
    answer = client.post(PATH, json=document, headers={"Accept-Language": language})
    assert answer.status_code == 200, answer.text
    verdict: dict[str, Any] = answer.json()
    return verdict


async def test_every_document_gets_its_verdict(
    service: Service, owner: Pool, mine: Organization
) -> None:
    await live(owner, mine.mentors[0])
    for key in ("first-visit", "ten-visits"):
        await define(owner, mine.id, FIRST, key=key)
    with service.client("mentor", mine.id, mine.mentors[0]) as client:
        for case in VERDICTS:
            answer = client.post(PATH, content=text_of(case).encode())
            assert answer.status_code == 200, case["name"]
            found = answer.json()
            unseen = [each for each in found["warnings"] if "ever seen" in each]
            found["warnings"] = [each for each in found["warnings"] if each not in unseen]
            assert found == verdict_of(case), case["name"]
            assert all("ethics" in each or "safety" in each or "ccc" in each for each in unseen)


async def test_the_language_is_the_callers(service: Service, mine: Organization) -> None:
    with service.client("coordinator", mine.id) as client:
        assert told(client, VISITS, "no, en;q=0.5")["summary"] == "3 aktiviteter"
        assert told(client, VISITS, "de")["summary"] == "3 activities"
        assert told(client, VISITS, "nb;q=0")["summary"] == "3 activities"
        error = told(client, VISITS | {"metric": "cuont"}, "nb-NO")["errors"][0]
    assert error["message"].startswith("forventet ")
    assert error["hint"] == 'mente du "count"?'


async def test_names_that_were_never_seen_are_warned_of(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    await live(owner, mine.mentors[0])
    seen = VISITS | {"activity_types": ["visit", "phone"]}
    unseen = {
        "version": 1,
        "type": "all",
        "of": [
            {"type": "streak", "period": "day", "length": 2, "activity_types": ["visit", "vsit"]},
            {"type": "training", "courses": ["basic", "basics", "zumba"]},
        ],
    }
    with service.client("admin", mine.id) as client:
        assert told(client, seen)["warnings"] == []
        verdict = told(client, unseen)
        assert verdict["valid"]
        assert verdict["warnings"] == [
            '$.of[0].activity_types[1]: no activity of type "vsit" was ever seen in this '
            'organization (did you mean "visit"?)',
            '$.of[1].courses[1]: no completion of the course "basics" was ever seen in this '
            'organization (did you mean "basic"?)',
            '$.of[1].courses[2]: no completion of the course "zumba" was ever seen in this '
            "organization",
        ]
        assert "noen gang sett" in told(client, unseen, "nb")["warnings"][0]
    with service.client("admin", other.id) as client:
        warnings = told(client, seen)["warnings"]
    assert len(warnings) == 2
    assert not any("did you mean" in each for each in warnings)


async def test_what_the_stream_has_counted_was_seen(
    service: Service, owner: Pool, mine: Organization
) -> None:
    await owner.execute(
        "INSERT INTO peer_mentor_stats (peer_mentor_id, counts_by_type) "
        "VALUES ($1, $2::text::jsonb)",
        mine.mentors[0],
        json.dumps({"long ago": 1}),
    )
    with service.client("admin", mine.id) as client:
        assert told(client, VISITS | {"activity_types": ["long ago"]})["warnings"] == []


async def test_of_many_unseen_names_some_are_named(service: Service, mine: Organization) -> None:
    courses = {"version": 1, "type": "training", "courses": [f"c{n}" for n in range(25)]}
    with service.client("admin", mine.id) as client:
        warnings = told(client, courses)["warnings"]
    assert len(warnings) == 21
    assert warnings[-1] == "5 more names were never seen"


async def test_a_badge_that_is_not_there_is_an_error(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    await define(owner, mine.id, FIRST, key="first-visit")
    key = f"everywhere-{mine.id}"
    await define(owner, None, FIRST, key=key)
    try:
        with service.client("admin", mine.id) as client:
            assert told(client, badges("first-visit", key))["valid"]
            verdict = told(client, badges("first-visit", "frist-visit"))
    finally:
        # It is every other test's too.
        await owner.execute("DELETE FROM badge_definitions WHERE key = $1", key)
    assert verdict == {
        "valid": False,
        "errors": [
            {
                "path": "$.badges[1]",
                "message": "expected the key of a badge of this organization or of every "
                'organization, found "frist-visit"',
                "hint": 'did you mean "first-visit"?',
            }
        ],
        "warnings": [],
        "summary": None,
    }
    with service.client("admin", other.id) as client:
        errors = told(client, badges("first-visit"))["errors"]
    assert [(each["path"], each["hint"]) for each in errors] == [("$.badges[0]", None)]


async def test_a_body_has_an_end(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        raw = {"version": 1, "type": "raw", "reason": "long", "criteria_raw": "x" * MAX_TEXT}
        assert [each["path"] for each in told(client, raw)["errors"]] == ["$"]
        answer = client.post(PATH, content=b"[" * 2_000_000)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


async def test_whatever_is_sent_is_judged(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        for body in (b"", b"\xff", b"\xed\xa0\xbd", b'"\\ud83d"', b"[" * 100_000, b"1e400", b"NaN"):
            answer = client.post(PATH, content=body)
            assert answer.status_code == 200
            assert not answer.json()["valid"]
            assert answer.json()["errors"]


async def test_it_is_for_whoever_has_a_token(service: Service) -> None:
    async with httpx.AsyncClient(timeout=LIMIT_S) as nobody:
        answer = await nobody.post(f"{service.url}{PATH}", json=VISITS)
    assert answer.status_code == 401


async def test_openapi_has_the_schema_of_criteria(service: Service) -> None:
    async with httpx.AsyncClient(timeout=LIMIT_S) as anybody:
        description = (await anybody.get(f"{service.url}/openapi.json")).json()
    body = description["paths"][PATH]["post"]["requestBody"]["content"]["application/json"]
    assert body["schema"] == {"$ref": "#/components/schemas/Criteria"}
    schemas = description["components"]["schemas"]
    criteria = json_schema()
    assert set(schemas["Criteria"]["discriminator"]["mapping"]) == set(
        criteria["discriminator"]["mapping"]
    )
    for name, definition in criteria["$defs"].items():
        own = schemas[f"Criteria{name}"]
        assert own["title"] == definition["title"]
        assert own.get("examples") == definition.get("examples")
    text = json.dumps(description)
    assert "#/$defs" not in text
    for reference in text.split('"#/components/schemas/')[1:]:
        assert reference.partition('"')[0] in schemas
