"""/v1/badge-definitions: who may read and write them, versions, and nobody's change is lost."""

import asyncio
from typing import Any

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH, RAW, VISITS, created, definition, everybodys, saved
from tests.api.service import Service

pytestmark = pytest.mark.anyio

ADMIN = "6d1c5c0e-0000-4000-8000-000000000001"


async def test_an_admin_creates_reads_changes_and_retires_a_definition(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id, ADMIN) as client:
        made = client.post(PATH, json=definition(icon="star", description="Three visits"))
        assert made.status_code == 201
        first = made.json()
        assert made.headers["etag"] == '"1"'
        assert made.headers["location"] == f"{PATH}/{first['id']}"
        assert first["organization_id"] == mine.id
        assert (first["version"], first["status"], first["saved_by"]) == (1, "draft", ADMIN)
        assert first["criteria"] == VISITS
        assert first["summary"]
        assert client.get(made.headers["location"]).json() == first

        active = saved(client, first, status="active")
        assert (active.status_code, active.headers["etag"]) == (200, '"2"')
        assert active.json()["status"] == "active"
        retired = client.delete(f"{PATH}/{first['id']}")
        assert (retired.status_code, retired.headers["etag"]) == (200, '"3"')
        again = client.delete(f"{PATH}/{first['id']}")
        assert again.json() == retired.json()
        back = saved(client, again.json(), status="active").json()
        assert (back["status"], back["version"]) == ("active", 4)


async def test_what_a_save_leaves_out_has_its_default_but_the_status_stays(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        whole = created(
            client, status="active", icon="star", revocable=True, counts_from="2026-01-31"
        )
        assert whole["counts_from"] == "2026-01-31"
        sparse = {key: whole[key] for key in ("key", "name", "criteria")}
        left = client.put(f"{PATH}/{whole['id']}", json=sparse, headers={"If-Match": "*"}).json()
    assert left["status"] == "active"
    assert (left["icon"], left["revocable"], left["counts_from"]) == (None, False, None)


async def test_a_save_that_changes_nothing_is_no_version(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        first = created(client)
        again = saved(client, first)
    assert (again.status_code, again.json()) == (200, first)


async def test_a_coordinator_reads_and_does_not_write(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as admin:
        first = created(admin)
    path = f"{PATH}/{first['id']}"
    with service.client("coordinator", mine.id) as client:
        assert client.get(path).json() == first
        listed = client.get(PATH, params={"limit": 1000}).json()["items"]
        assert first in listed
        refused = [
            client.post(PATH, json=definition()),
            client.put(path, json=definition(), headers={"If-Match": "*"}),
            client.delete(path),
        ]
    assert {each.status_code for each in refused} == {403}
    with service.client("mentor", mine.id, mine.mentors[0]) as client:
        assert client.get(path).status_code == 403


async def test_another_organizations_is_not_found_and_everybodys_is_read_only(
    service: Service, mine: Organization, other: Organization, owner: Pool
) -> None:
    with service.client("admin", other.id) as client:
        theirs = created(client)
    async with everybodys(owner) as shared:
        match = {"If-Match": "*"}
        with service.client("admin", mine.id) as client:
            path = f"{PATH}/{theirs['id']}"
            assert client.get(path).status_code == 404
            assert client.put(path, json=definition(), headers=match).status_code == 404
            assert client.delete(path).status_code == 404
            path = f"{PATH}/{shared}"
            assert client.get(path).json()["organization_id"] is None
            assert client.put(path, json=definition(), headers=match).status_code == 403
            assert client.delete(path).status_code == 403
            listed = {
                each["id"] for each in client.get(PATH, params={"limit": 1000}).json()["items"]
            }
            assert shared in listed
            assert theirs["id"] not in listed
            assert created(client, key=theirs["key"])["key"] == theirs["key"]
        status = "SELECT status FROM badge_definitions WHERE id = $1::text::uuid"
        assert await owner.fetchval(status, shared) == "active"
        assert await owner.fetchval(status, theirs["id"]) == "draft"


async def test_lists_are_filtered_and_come_in_pages(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        drafts = [created(client) for _ in range(3)]
        raw = created(client, RAW, status="active")

        def ids(**params: Any) -> list[str]:
            items = client.get(PATH, params=params).json()["items"]
            return [each["id"] for each in items if each["organization_id"]]

        assert ids(type="raw", limit=1000) == [raw["id"]]
        assert ids(status="active", limit=1000) == [raw["id"]]
        assert ids(status="draft", limit=1000) == sorted(each["id"] for each in drafts)
        found: list[str] = []
        after: str | None = None
        while after is not None or not found:
            params: dict[str, Any] = {"limit": 2, **({"after": after} if after else {})}
            answer = client.get(PATH, params=params).json()
            found += [each["id"] for each in answer["items"]]
            after = answer["next"]
        assert {each["id"] for each in [*drafts, raw]} <= set(found)
        assert found == sorted(set(found))
        assert client.get(PATH, params={"type": "rwa"}).status_code == 422


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, 428), ('"1"', 412), ('W/"2"', 412), ('"1", "3"', 412), ("2", 400), ('"2', 400),
        ("", 400), ('"1", "2"', 200), ('"1" ,, "2",', 200), ("*", 200),
    ],
)  # fmt: skip
async def test_a_save_has_to_name_the_version_that_it_is_made_to(
    service: Service, mine: Organization, header: str | None, expected: int
) -> None:
    with service.client("admin", mine.id) as client:
        first = created(client)
        second = saved(client, first, name="Another name").json()
        headers = {} if header is None else {"If-Match": header}
        body = {**second, "name": "A third name"}
        response = client.put(f"{PATH}/{first['id']}", json=body, headers=headers)
        assert response.status_code == expected, response.text
        if expected in (412, 428):
            assert response.headers["etag"] == '"2"'
            assert response.headers["content-type"] == "application/problem+json"
        if header:
            retired = client.delete(f"{PATH}/{first['id']}", headers={"If-Match": '"99"'})
            assert retired.status_code == 412
        now = client.get(f"{PATH}/{first['id']}").json()
    assert now["version"] == (3 if expected == 200 else 2)


async def test_a_reader_who_has_the_version_is_told_so(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        path = f"{PATH}/{created(client)['id']}"
        for known in ('"1"', 'W/"1"', '"7", "1"', "*"):
            answer = client.get(path, headers={"If-None-Match": known})
            assert (answer.status_code, answer.content) == (304, b"")
            assert answer.headers["etag"] == '"1"'
        assert client.get(path, headers={"If-None-Match": '"2"'}).status_code == 200


async def test_of_fifty_saves_of_one_version_one_wins(
    service: Service, mine: Organization, owner: Pool
) -> None:
    with service.client("admin", mine.id) as client:
        first = created(client)
    path, headers = f"{PATH}/{first['id']}", {"If-Match": '"1"'}
    async with service.async_client("admin", mine.id) as client:
        answers = await asyncio.gather(
            *(
                client.put(path, json={**first, "name": f"Name {number}"}, headers=headers)
                for number in range(50)
            )
        )
    won = [each for each in answers if each.status_code == 200]
    assert len(won) == 1
    assert {each.status_code for each in answers} == {200, 412}
    versions = await owner.fetch(
        "SELECT version, name FROM badge_definition_versions WHERE id = $1::text::uuid "
        "ORDER BY version",
        first["id"],
    )
    assert [(row["version"], row["name"]) for row in versions] == [
        (1, "A badge"),
        (2, won[0].json()["name"]),
    ]


async def test_a_key_is_one_definitions(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        first, second = created(client), created(client)
        same = client.post(PATH, json=definition(key=first["key"]))
        renamed = saved(client, second, key=first["key"])
        for response in (same, renamed):
            assert response.status_code == 409
            assert response.json()["badge_definition_id"] == first["id"]
            assert first["id"] in response.json()["detail"]
        assert saved(client, second, key="another-key").json()["key"] == "another-key"


async def test_a_key_that_criteria_ask_for_does_not_change(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        base = created(client)
        asks = {"version": 1, "type": "badges", "badges": [base["key"]]}
        follows = created(client, asks)
        refused = saved(client, base, key="another-key")
        assert refused.status_code == 409
        assert follows["key"] in refused.json()["detail"]
        assert client.delete(f"{PATH}/{follows['id']}").status_code == 200
        assert saved(client, base, key="another-key").status_code == 200


async def test_answers_speak_the_callers_language(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client, RAW)
        norwegian = client.get(
            f"{PATH}/{made['id']}", headers={"Accept-Language": "nn-NO, en;q=0.5"}
        )
        listed = client.get(PATH, params={"type": "raw"}, headers={"Accept-Language": "nb"})
    assert made["warnings"] != norwegian.json()["warnings"]
    assert made["summary"] != norwegian.json()["summary"]
    assert norwegian.json() in listed.json()["items"]
    assert norwegian.headers["vary"] == "Accept-Language"


async def test_criteria_that_somebody_saved_by_sql_are_shown_with_what_is_wrong(
    service: Service, mine: Organization, owner: Pool
) -> None:
    definition_id = await owner.fetchval(
        "INSERT INTO badge_definitions (organization_id, key, name, criteria, status) "
        """VALUES ($1::text::uuid, 'bad', 'Bad', '{"type": "treshold", "n": 1e300}', 'active') """
        "RETURNING id",
        mine.id,
    )
    with service.client("coordinator", mine.id) as client:
        one = client.get(f"{PATH}/{definition_id}").json()
        listed = client.get(PATH, params={"limit": 1000}).json()["items"]
    assert one["summary"] is None
    assert "$.type" in one["warnings"][0]
    assert one in listed
