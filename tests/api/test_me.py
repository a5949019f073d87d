"""What a page asks for before it shows anything: whose token it is, and which names there are."""

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import PATH, badges, created
from tests.api.mentors import COUNT, define, grant, log
from tests.api.service import Service

pytestmark = pytest.mark.anyio


async def test_it_says_who_calls_and_of_which_organization(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id, "somebody") as client:
        said = client.get("/v1/me").json()
    assert (said["sub"], said["role"], said["organization_id"]) == ("somebody", "admin", mine.id)
    assert (said["organization_name"], said["peer_mentor_id"]) == ("Home", None)


@pytest.mark.parametrize("expiry", [253_402_300_800, 10**15, 10**300], ids=["next", "far", "most"])
async def test_a_token_may_count_longer_than_there_are_dates(
    service: Service, mine: Organization, expiry: int
) -> None:
    with service.client("admin", mine.id, exp=expiry) as client:
        answer = client.get("/v1/me")
    assert answer.status_code == 200, answer.text
    assert answer.json()["expires_at"] == "9999-12-31T23:59:59Z"


async def test_a_mentor_is_told_by_name(service: Service, mine: Organization) -> None:
    mentor = mine.mentors[0]
    with service.client("mentor", mine.id, mentor) as client:
        said = client.get("/v1/me").json()
        own = client.get(f"/v1/peer-mentors/{mentor}").json()
    assert said["peer_mentor_id"] == mentor
    assert said["display_name"] == own["display_name"]
    assert own["display_name"] in {"Kari Nordmann", "Ola Nordmann"}


async def test_the_vocabulary_has_what_the_organization_has_seen(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    await log(owner, mine.mentors[0], "2026-01-01", activity_type="visit")
    await log(owner, mine.mentors[1], "2026-01-01", activity_type="phone")
    await log(owner, other.mentors[0], "2026-01-01", activity_type="secret")
    await owner.execute(
        "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
        "VALUES (gen_random_uuid(), $1, 'basic', '2026-01-01')",
        mine.mentors[0],
    )
    with service.client("admin", mine.id) as client:
        first = created(client)
        created(client, badges(first["key"]), key="a-second")
        names = client.get("/v1/vocabulary").json()["names"]
    assert names["activity_type"] == ["phone", "visit"]
    assert names["course"] == ["basic"]
    assert names["badge"] == sorted(["a-second", first["key"]])


async def test_a_list_counts_the_holders_when_it_is_asked_to(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    held = await define(owner, mine.id, COUNT)
    unheld = await define(owner, mine.id, COUNT)
    everybodys = await define(owner, None, COUNT)
    await grant(owner, mine.mentors[0], held, "2026-01-01")
    await grant(owner, mine.mentors[1], held, "2026-01-01")
    await grant(owner, mine.mentors[0], everybodys, "2026-01-01")
    await grant(owner, other.mentors[0], everybodys, "2026-01-01")
    with service.client("coordinator", mine.id) as client:
        counted = client.get(PATH, params={"include": "holders"}).json()["items"]
        plain = client.get(PATH).json()["items"]
    by_id = {each["id"]: each["holders"] for each in counted}
    assert {each: by_id[each] for each in (held, unheld, everybodys)} == {
        held: 2,
        unheld: 0,
        everybodys: 1,
    }
    assert {each["holders"] for each in plain} == {None}


async def test_what_the_list_counted_may_be_sent_back(service: Service, mine: Organization) -> None:
    with service.client("admin", mine.id) as client:
        made = created(client)
        listed = client.get(PATH, params={"include": "holders"}).json()["items"]
        [shown] = [each for each in listed if each["id"] == made["id"]]
        saved = client.put(
            f"{PATH}/{made['id']}",
            json={**shown, "name": "Another name"},
            headers={"If-Match": '"1"'},
        )
    assert (saved.status_code, saved.json()["name"]) == (200, "Another name")
