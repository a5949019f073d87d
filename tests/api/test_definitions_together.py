"""Badge definitions that know each other and the organization, and saves beside other saves."""

import asyncio

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH, VISITS, badges, created, definition, saved
from tests.api.service import Service

pytestmark = pytest.mark.anyio


async def test_a_badge_that_there_is_not_cannot_be_asked_for(
    service: Service, mine: Organization, other: Organization
) -> None:
    with service.client("admin", other.id) as client:
        theirs = created(client)["key"]
    with service.client("admin", mine.id) as client:
        ours = created(client)["key"]
        refused = client.post(PATH, json=definition(badges(ours, theirs)))
        assert created(client, badges(ours))["summary"]
    assert refused.status_code == 422
    assert [each["path"] for each in refused.json()["errors"]] == ["$.badges[1]"]


async def test_no_save_closes_a_circle(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        first = created(client)
        second = created(client, badges(first["key"]))
        third = created(client, badges(second["key"]))
        for key in (first["key"], third["key"]):
            refused = saved(client, first, criteria=badges(key))
            assert refused.status_code == 422
            assert [each["path"] for each in refused.json()["errors"]] == ["$.badges[0]"]
        assert client.get(f"{PATH}/{first['id']}").json() == first


async def test_two_saves_at_once_close_no_circle_either(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        pairs = [(created(client), created(client)) for _ in range(10)]
    async with service.async_client("admin", mine.id, "anna") as client:
        answers = await asyncio.gather(
            *(
                client.put(
                    f"{PATH}/{one['id']}",
                    json={**one, "criteria": badges(another["key"])},
                    headers={"If-Match": "*"},
                )
                for pair in pairs
                for one, another in (pair, reversed(pair))
            )
        )
    statuses = [each.status_code for each in answers]
    assert [sorted(pair) for pair in zip(statuses[::2], statuses[1::2], strict=True)] == [
        [200, 422]
    ] * 10


async def test_the_same_new_definition_sent_at_once_is_made_once(
    service: Service, mine: Organization
) -> None:
    body = definition()
    async with service.async_client("admin", mine.id, "anna") as client:
        answers = await asyncio.gather(
            *(
                client.post(PATH, json=body, headers={"Idempotency-Key": "at once"})
                for _ in range(20)
            )
        )
    assert sorted(each.status_code for each in answers) == [200] * 19 + [201]
    assert len({each.text for each in answers}) == 1


async def test_of_new_definitions_with_one_key_one_is_made(
    service: Service, mine: Organization
) -> None:
    body = definition()
    async with service.async_client("admin", mine.id, "anna") as client:
        answers = await asyncio.gather(*(client.post(PATH, json=body) for _ in range(20)))
    assert sorted(each.status_code for each in answers) == [201] + [409] * 19
    (made,) = (each.json()["id"] for each in answers if each.status_code == 201)
    assert {each.json().get("badge_definition_id") for each in answers} == {None, made}


async def test_names_that_no_row_has_are_warned_about_when_they_are_saved(
    service: Service, mine: Organization, owner: Pool
) -> None:
    await owner.execute(
        "INSERT INTO activities (peer_mentor_id, activity_type, activity_date) "
        "VALUES ($1::text::uuid, 'visit', '2026-01-01')",
        mine.mentors[0],
    )
    with service.client("admin", mine.id) as client:
        made = created(client, {**VISITS, "activity_types": ["visit", "vist"]})
        shown = client.get(f"{PATH}/{made['id']}").json()
    (warning,) = made["warnings"]
    assert "vist" in warning
    assert shown == made


async def test_a_save_waits_for_nobody_who_only_awards_the_badge(
    service: Service, mine: Organization, owner: Pool
) -> None:
    with service.client("admin", mine.id) as client:
        first = created(client, status="active")
        async with owner.acquire() as connection, connection.transaction():
            await connection.execute(
                "SELECT award_badge($1::text::uuid, $2::text::uuid, now(), '{}', 'Ola')",
                mine.mentors[0],
                first["id"],
            )
            answer = await asyncio.to_thread(saved, client, first, name="Another name")
    assert answer.status_code == 200


async def test_a_save_is_refused_while_somebody_else_keeps_the_row(
    service: Service, mine: Organization, owner: Pool
) -> None:
    with service.client("admin", mine.id) as patient:
        first = created(patient)
    with service.once("admin", mine.id) as client:
        async with owner.acquire() as connection, connection.transaction():
            await connection.execute(
                "SELECT FROM badge_definitions WHERE id = $1::text::uuid FOR UPDATE", first["id"]
            )
            # On a busy machine it may have no connection to Postgres in time.
            for _ in range(10):
                answer = await asyncio.to_thread(saved, client, first, name="Another name")
                if answer.status_code != 503:
                    break
    assert answer.status_code == 409
    assert answer.headers["retry-after"]
