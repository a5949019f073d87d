"""What is sent as a badge definition: kept as it is, or refused with what is wrong and where."""

from typing import Any

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH, RAW, VISITS, created, definition, saved
from tests.api.service import Service

pytestmark = pytest.mark.anyio

JSON = {"Content-Type": "application/json"}


def around(criteria: str) -> bytes:
    """A body with these criteria, whatever they are."""
    text = f'{{"key": "a-key", "name": "A name", "criteria": {criteria}, "status": "draft"}}'
    return text.encode("utf-8", "surrogatepass")


async def test_raw_criteria_are_kept_untouched(
    service: Service, mine: Organization, owner: Pool
) -> None:
    raw = '{"b": 1.10, "a": 12345678901234567890.123456789012345678901234567890, "c": [null, "é"]}'
    criteria = f'{{"version": 1, "type": "raw", "reason": "a jury", "criteria_raw": {raw}}}'
    with service.client("admin", mine.id) as client:
        made = client.post(PATH, content=around(criteria), headers=JSON)
        assert made.status_code == 201, made.text
        (warning,) = made.json()["warnings"]
        (listed,) = client.get(PATH, params={"type": "raw"}).json()["items"]
        versions = client.get(f"{PATH}/{made.json()['id']}/versions")
    assert "never evaluated" in warning
    assert listed == made.json()
    for answer in (made, versions):
        assert '"b": 1.10' in answer.text
        assert "12345678901234567890.123456789012345678901234567890" in answer.text
    kept = await owner.fetchval(
        "SELECT criteria -> 'criteria_raw' = $2::text::jsonb FROM badge_definitions "
        "WHERE id = $1::text::uuid",
        made.json()["id"],
        raw,
    )
    assert kept


async def test_criteria_that_grow_when_they_are_stored_are_refused(
    service: Service, mine: Organization
) -> None:
    numbers = ", ".join(["1e308"] * 1000)
    criteria = f'{{"version": 1, "type": "raw", "reason": "x", "criteria_raw": [{numbers}]}}'
    with service.client("admin", mine.id) as client:
        refused = client.post(PATH, content=around(criteria), headers=JSON)
        assert client.get(PATH, params={"type": "raw"}).json()["items"] == []
    assert refused.status_code == 422
    assert "characters" in refused.json()["detail"]


@pytest.mark.parametrize("reason", [None, "", 1])
async def test_raw_criteria_need_a_reason(
    service: Service, mine: Organization, reason: object
) -> None:
    criteria = {**RAW, "reason": reason}
    if reason is None:
        del criteria["reason"]
    with service.client("admin", mine.id) as client:
        refused = client.post(PATH, json=definition(criteria))
    assert refused.status_code == 422
    assert [each["path"] for each in refused.json()["errors"]] == ["$.reason"]


@pytest.mark.parametrize(
    ("criteria", "path"),
    [
        ('{"version": 1, "type": "treshold"}', "$.type"),
        ('{"version": 1, "type": "threshold", "metric": "count", "at_least": true}', "$.at_least"),
        (
            '{"version": 1, "type": "all", "of": '
            '[{"type": "threshold", "metric": "count", "at_least": 0}]}',
            "$.of[0].at_least",
        ),
        (
            '{"version": 1, "type": "threshold", "metric": "count", "at_least": 1, "at_least": 2}',
            "$.at_least",
        ),
        (
            '{"version": 1, "type": "threshold", "metric": "count", "at_least": NaN}',
            "$.at_least",
        ),
        (
            '{"version": 1, "type": "raw", "reason": "x", "criteria_raw": ["\\ud800"]}',
            "$.criteria_raw[0]",
        ),
        (
            '{"version": 1, "type": "raw", "reason": "\\u0000", "criteria_raw": 1}',
            "$.reason",
        ),
        (
            '{"version": 1, "type": "raw", "reason": "x", "criteria_raw": [1e400]}',
            "$.criteria_raw[0]",
        ),
        (
            '{"version": 1, "type": "raw", "reason": "x", "criteria_raw": [0.0, -2E-999]}',
            "$.criteria_raw[1]",
        ),
        ("[]", "$"),
        ("null", "$"),
        ('{"version": 1, "type": "raw", "criteria_raw": ' + "[" * 50 + "]" * 50 + "}", "$.reason"),
    ],
)
async def test_invalid_criteria_are_refused_by_paths_of_their_own(
    service: Service, mine: Organization, criteria: str, path: str
) -> None:
    with service.client("admin", mine.id) as client:
        refused = client.post(PATH, content=around(criteria), headers=JSON)
        made = created(client)
        not_saved = client.put(
            f"{PATH}/{made['id']}", content=around(criteria), headers={**JSON, "If-Match": "*"}
        )
        assert client.get(f"{PATH}/{made['id']}").json() == made
    for response in (refused, not_saved):
        assert response.status_code == 422
        assert response.headers["content-type"] == "application/problem+json"
        assert path in [each["path"] for each in response.json()["errors"]]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff",
        b'{"key": "a", "key": "b", "name": "x", "criteria": {}}',
        b'{"key": "a", "name": "\\ud800", "criteria": {}}',
        b'{"key": "a", "name": "b", "criteria": {}, "counts_from": NaN}',
        b'{"key": "a", "name": "b", "criteria": {}, "criteria_": {"a": 1, "a": 2}}',
        b"[" * 100_000,
        b'{"key": "a", "name": "b", "criteria": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"key": "a", "name": "b", "criteria": ' + b"1" * 10_000 + b"}",
    ],
    ids=lambda body: repr(body[:40]),
)
async def test_what_is_no_definition_is_refused(
    service: Service, mine: Organization, body: bytes
) -> None:
    with service.client("admin", mine.id) as client:
        assert client.post(PATH, content=body, headers=JSON).status_code == 422


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": None}, {"key": ""}, {"key": 1}, {"key": "k" * 201}, {"key": "a\0b"},
        {"name": ""}, {"description": None}, {"icon": 1}, {"counts_from": "2026-1-1"},
        {"counts_from": "2026-02-30"}, {"counts_from": 0}, {"counts_from": "2026-W01-1"},
        {"revocable": "yes"}, {"revocable": 1}, {"status": "live"}, {"counts_form": "2026-01-31"},
    ],
    ids=str,
)  # fmt: skip
async def test_wrong_members_are_refused(
    service: Service, mine: Organization, wrong: dict[str, Any]
) -> None:
    with service.client("admin", mine.id) as client:
        refused = client.post(PATH, json=definition(**wrong))
    assert refused.status_code == 422
    assert next(iter(wrong)) in refused.text
    if "counts_form" in wrong:
        assert "counts_from" in refused.text


async def test_a_member_that_is_missing_is_named(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        refused = client.post(PATH, json={"description": "Nothing else"})
    assert refused.status_code == 422
    for name in ("key", "name", "criteria"):
        assert name in refused.text


async def test_the_same_request_again_makes_no_other_definition(
    service: Service, mine: Organization, other: Organization, owner: Pool
) -> None:
    body = definition()
    key = {"Idempotency-Key": "the first one"}
    with service.client("admin", mine.id, "anna") as client:
        invalid = {**body, "criteria": {"version": 1, "type": "none"}}
        assert client.post(PATH, json=invalid, headers=key).status_code == 422
        first = client.post(PATH, json=body, headers=key)
        again = client.post(PATH, json=body, headers=key)
        assert (first.status_code, again.status_code) == (201, 200)
        assert again.json() == first.json()
        changed = saved(client, first.json(), name="Changed").json()
        assert client.post(PATH, json=body, headers=key).json() == changed
        reused = client.post(PATH, json={**body, "key": "another"}, headers=key)
        assert reused.status_code == 422
        assert "Idempotency-Key" in reused.json()["detail"]
        assert client.post(PATH, json=body, headers={"Idempotency-Key": ""}).status_code == 422
    with service.client("admin", mine.id, "bo") as client:
        assert client.post(PATH, json=body, headers=key).status_code == 409
    with service.client("admin", other.id, "anna") as client:
        assert client.post(PATH, json=body, headers=key).status_code == 201
    with service.client("admin", mine.id, "anna") as client:
        await owner.execute(
            "DELETE FROM badge_definitions WHERE id = $1::text::uuid", first.json()["id"]
        )
        assert client.post(PATH, json=body, headers=key).status_code == 201
        await owner.execute(
            "UPDATE badges_private.idempotency_keys SET at = at - interval '25 hours'"
        )
        assert client.post(PATH, json=body, headers=key).status_code == 409
    left = (
        "SELECT count(*) FROM badges_private.idempotency_keys WHERE at < now() - interval '1 day'"
    )
    with service.client("admin", mine.id) as client:
        client.post(PATH, json=definition(), headers=key)
    assert await owner.fetchval(left) == 0


async def test_history_has_every_version_with_author_and_time(
    service: Service, mine: Organization, other: Organization, owner: Pool
) -> None:
    with service.client("admin", mine.id, "anna") as client:
        first = created(client)
    with service.client("admin", mine.id, "bo") as client:
        second = saved(client, first, criteria={**VISITS, "at_least": 5}).json()
        client.delete(f"{PATH}/{first['id']}")
    path = f"{PATH}/{first['id']}/versions"
    await owner.execute("DELETE FROM badge_definitions WHERE id = $1::text::uuid", first["id"])
    with service.client("coordinator", mine.id) as client:
        page = client.get(path, params={"limit": 2}).json()
        rest = client.get(path, params={"limit": 2, "after": page["next"]}).json()
        assert client.get(path, params={"after": 2**31}).status_code == 422
    items = [*page["items"], *rest["items"]]
    assert rest["next"] is None
    assert [each["version"] for each in items] == [4, 3, 2, 1]
    assert [each["saved_by"] for each in items[1:]] == ["bo", "bo", "anna"]
    assert [each["status"] for each in items] == ["retired", "retired", "draft", "draft"]
    assert [each["deleted"] for each in items] == [True, False, False, False]
    assert items[2]["criteria"] == second["criteria"]
    assert items[2]["summary"] == second["summary"]
    assert items[3]["saved_at"] == first["saved_at"]
    with service.client("admin", other.id) as client:
        assert client.get(path).status_code == 404


async def test_a_key_that_is_there_twice_is_told(service: Service, mine: Organization) -> None:
    body = '{"key": "a", "key": "b", "name": "A name", "criteria": {}}'
    with service.client("admin", mine.id) as client:
        refused = client.post(PATH, content=body, headers=JSON)
    assert refused.status_code == 422
    assert [each["path"] for each in refused.json()["errors"]] == ["$.key"]


@pytest.mark.parametrize(
    ("sent", "english", "norwegian"),
    [
        ({"key": ""}, "not empty", "ikke er tomt"),
        ({"key": 7}, "expected a text", "forventet en tekst"),
        ({"status": "live"}, "or", "eller"),
        ({"revocable": "maybe"}, "expected true or false", "forventet true eller false"),
        ({"counts_from": "soon"}, "expected a date", "forventet en dato"),
        ({"keys": 7}, "found another", "fant en annen"),
    ],
)
async def test_what_is_wrong_is_said_in_the_readers_language(
    service: Service, mine: Organization, sent: dict[str, Any], english: str, norwegian: str
) -> None:
    with service.client("admin", mine.id) as client:
        for language, said in (("en", english), ("nb", norwegian)):
            headers = {"Accept-Language": language}
            refused = client.post(PATH, json={**definition(), **sent}, headers=headers)
            assert refused.status_code == 422
            (error,) = refused.json()["errors"]
            assert error["path"] == f"$.{next(iter(sent))}"
            assert said in error["message"]
