"""Badges given and taken away by hand: once, by whom, and why."""

import asyncio
from typing import Any
from uuid import uuid4

import httpx
import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH, RAW, created, everybodys
from tests.api.service import Service

pytestmark = pytest.mark.anyio

ADMIN = "6d1c5c0e-0000-4000-8000-000000000002"


def badges_of(mentor: object) -> str:
    return f"/v1/peer-mentors/{mentor}/badges"


async def events(owner: Pool, mentor: str, badge: str) -> list[tuple[str, str, str | None]]:
    """Kind, actor and reason of what happened, in order; all of it is an admin's doing."""
    rows = await owner.fetch(
        "SELECT kind, actor, reason, source FROM badge_award_events "
        "WHERE peer_mentor_id = $1::text::uuid AND badge_definition_id = $2::text::uuid "
        "ORDER BY id",
        mentor,
        badge,
    )
    assert {row["source"] for row in rows} <= {"admin"}
    return [(row["kind"], row["actor"], row["reason"]) for row in rows]


async def test_a_badge_is_given_taken_away_and_given_back(
    service: Service, mine: Organization, owner: Pool
) -> None:
    mentor = mine.mentors[0]
    with service.client("admin", mine.id, ADMIN) as client:
        badge = created(client, RAW, status="active")["id"]
        body = {"badge_definition_id": badge, "reason": "The jury's choice"}
        given = client.post(badges_of(mentor), json=body)
        assert given.status_code == 201, given.text
        assert given.json()["awarded_by"] == ADMIN
        held = client.post(badges_of(mentor), json={**body, "reason": "Again"})
        assert (held.status_code, held.json()) == (200, given.json())

        path = f"{badges_of(mentor)}/{badge}"
        taken = client.delete(path, params={"reason": "A mistake"})
        assert taken.status_code == 200
        assert taken.json()["revoked_by"] == ADMIN
        again = client.delete(path, params={"reason": "Once more"})
        assert (again.status_code, again.json()) == (200, taken.json())

        back = client.post(badges_of(mentor), json={**body, "reason": None})
        assert (back.status_code, back.json()["revoked_by"]) == (200, None)
        assert back.json()["earned_at"] == given.json()["earned_at"]
    assert await events(owner, mentor, badge) == [
        ("granted", ADMIN, "The jury's choice"),
        ("revoked", ADMIN, "A mistake"),
        ("restored", ADMIN, None),
    ]


async def test_what_a_rule_revoked_a_person_takes_for_good(
    service: Service, mine: Organization, owner: Pool
) -> None:
    mentor = mine.mentors[0]
    with service.client("admin", mine.id, ADMIN) as client:
        badge = created(client, status="active")["id"]
        client.post(badges_of(mentor), json={"badge_definition_id": badge})
        async with owner.acquire() as connection, connection.transaction():
            await connection.execute("ALTER TABLE badge_awards DISABLE TRIGGER badges_stamp_award")
            await connection.execute(
                "UPDATE badge_awards SET revoked_at = now(), revoked_by = 'rule' "
                "WHERE badge_definition_id = $1::text::uuid",
                badge,
            )
            await connection.execute("ALTER TABLE badge_awards ENABLE TRIGGER badges_stamp_award")
        assert client.delete(f"{badges_of(mentor)}/{badge}").json()["revoked_by"] == ADMIN


async def test_a_badge_is_given_for_a_day(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        badge = created(client, status="retired")["id"]
        given = client.post(
            badges_of(mine.mentors[0]),
            json={"badge_definition_id": badge, "earned_at": "2026-01-05T23:30:00Z"},
        ).json()
    assert given["earned_on"] == "2026-01-06"
    assert given["earned_at"] == "2026-01-05T23:30:00Z"


@pytest.mark.parametrize(
    "wrong",
    [
        {"badge_definition_id": "nobody"},
        {"badge_definition_id": None},
        {"earned_at": 1_700_000_000},
        {"earned_at": "2026-01-05T12:00:00"},
        {"earned_at": "9999-12-31T23:59:59-12:00"},
        {"earned_at": "0001-01-01T00:00:00+14:00"},
        {"reason": "with \0"},
        {"reason": "x" * 1001},
        {"reason": 1},
        {"tier": "gold"},
    ],
)
async def test_bad_input_is_refused(
    service: Service, mine: Organization, wrong: dict[str, Any]
) -> None:
    with service.client("admin", mine.id) as client:
        body = {"badge_definition_id": created(client, status="active")["id"], **wrong}
        assert client.post(badges_of(mine.mentors[0]), json=body).status_code == 422


async def test_what_cannot_be_given_says_why(
    service: Service, mine: Organization, other: Organization, owner: Pool
) -> None:
    with service.client("admin", other.id) as client:
        theirs = created(client, status="active")["id"]
    with service.client("admin", mine.id) as client:
        draft = created(client)["id"]
        ours = created(client, status="active")["id"]
        mentor, stranger = mine.mentors[0], other.mentors[0]

        def given(mentor: object, badge: object) -> httpx.Response:
            return client.post(badges_of(mentor), json={"badge_definition_id": str(badge)})

        refused = given(mentor, draft)
        assert refused.status_code == 409
        assert "activate" in refused.json()["detail"]
        for response in (
            given(mentor, theirs),
            given(mentor, uuid4()),
            given(stranger, ours),
            given(uuid4(), ours),
            client.delete(f"{badges_of(mentor)}/{ours}"),
            client.delete(f"{badges_of(mentor)}/{theirs}"),
            client.delete(f"{badges_of(stranger)}/{ours}"),
            client.delete(f"{badges_of(mentor)}/{uuid4()}"),
        ):
            assert response.status_code == 404
            assert response.headers["content-type"] == "application/problem+json"
        nul = client.delete(f"{badges_of(mentor)}/{ours}", params={"reason": "\0"})
        assert nul.status_code == 422
    for role in ("coordinator", "mentor"):
        with service.client(role, mine.id, mentor) as client:
            assert given(mentor, ours).status_code == 403
            assert client.delete(f"{badges_of(mentor)}/{ours}").status_code == 403
    given_to = "SELECT count(*) FROM badge_awards WHERE peer_mentor_id = ANY ($1::text[]::uuid[])"
    assert await owner.fetchval(given_to, [*mine.mentors, *other.mentors]) == 0


async def test_what_a_trigger_of_the_application_refuses_is_a_conflict(
    service: Service, mine: Organization, owner: Pool
) -> None:
    await owner.execute(
        """
        CREATE FUNCTION public.only_adults() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.revoked_at IS NOT NULL THEN RETURN NULL; END IF;
            RAISE EXCEPTION 'Kari Nordmann is too young';
        END $$;
        CREATE TRIGGER zz_only_adults BEFORE INSERT OR UPDATE ON badge_awards
            FOR EACH ROW EXECUTE FUNCTION public.only_adults();
        """
    )
    try:
        with service.client("admin", mine.id) as client:
            badge = created(client, status="active")["id"]
            body = {"badge_definition_id": badge}
            refused = client.post(badges_of(mine.mentors[0]), json=body)
            await owner.execute("ALTER TABLE badge_awards DISABLE TRIGGER zz_only_adults")
            assert client.post(badges_of(mine.mentors[0]), json=body).status_code == 201
            await owner.execute("ALTER TABLE badge_awards ENABLE TRIGGER zz_only_adults")
            let_go = client.delete(f"{badges_of(mine.mentors[0])}/{badge}")
    finally:
        await owner.execute("DROP FUNCTION public.only_adults() CASCADE")
    assert (refused.status_code, let_go.status_code) == (409, 409)
    assert "P0001" in refused.json()["detail"]
    assert "Kari" not in refused.text


async def test_of_fifty_who_give_a_badge_one_does(
    service: Service, mine: Organization, owner: Pool
) -> None:
    mentor = mine.mentors[0]
    with service.client("admin", mine.id) as client:
        badge = created(client, status="active")["id"]
    async with service.async_client("admin", mine.id, ADMIN) as client:
        answers = await asyncio.gather(
            *(
                client.post(badges_of(mentor), json={"badge_definition_id": badge})
                for _ in range(50)
            )
        )
    assert sorted(each.status_code for each in answers) == [200] * 49 + [201]
    assert len({each.text for each in answers}) == 1
    assert await events(owner, mentor, badge) == [("granted", ADMIN, None)]


async def test_the_definition_says_who_holds_it(
    service: Service, mine: Organization, other: Organization, owner: Pool
) -> None:
    async with everybodys(owner, RAW) as shared:
        body = {"badge_definition_id": shared}
        with service.client("admin", other.id) as client:
            assert client.post(badges_of(other.mentors[0]), json=body).status_code == 201
        path = f"{PATH}/{shared}/awards"
        with service.client("admin", mine.id) as client:
            for mentor in mine.mentors:
                assert client.post(badges_of(mentor), json=body).status_code == 201
            first = client.get(path, params={"limit": 1}).json()
            second = client.get(path, params={"limit": 1, "after": first["next"]}).json()
            assert second["next"] is None
            items = [*first["items"], *second["items"]]
            assert [each["peer_mentor_id"] for each in items] == sorted(mine.mentors)
            client.delete(f"{badges_of(mine.mentors[0])}/{shared}")
            (left,) = client.get(path).json()["items"]
            assert left["peer_mentor_id"] == mine.mentors[1]
            assert client.get(f"{PATH}/{uuid4()}/awards").status_code == 404


@pytest.mark.parametrize("reason", ["\\u0000", "\\ud800", "\\udc00\\ud800"])
async def test_a_reason_is_text_that_can_be_kept(
    service: Service, mine: Organization, reason: str
) -> None:
    with service.client("admin", mine.id) as client:
        badge = created(client, RAW, status="active")["id"]
        answer = client.post(
            badges_of(mine.mentors[0]),
            content=f'{{"badge_definition_id": "{badge}", "reason": "{reason}"}}',
            headers={"Content-Type": "application/json"},
        )
    assert answer.status_code == 422, answer.text
    assert answer.json()["errors"][0]["path"] == "$.reason"
