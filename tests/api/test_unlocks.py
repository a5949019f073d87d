"""GET /v1/unlocks: each event exactly once, to those who may see it."""

import asyncio
import time
from contextlib import AsyncExitStack
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import RAW
from tests.api.mentors import define
from tests.api.service import Service, bearer, serving_api, signed
from tests.api.unlock_client import (
    AWARDED,
    Client,
    coordinator,
    mentor,
    messages,
    until,
    write,
)
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio

CLUSTER = "SELECT system_identifier::text FROM pg_control_system()"


async def test_an_award_by_hand_is_told(service: Service, owner: Pool, mine: Organization) -> None:
    badge = await define(owner, mine.id, RAW, key="first", name="Første samtale")
    client = coordinator(service, mine.id)
    await client.begin()
    await owner.execute(AWARDED, mine.mentors[0], badge)

    (event,) = await client.read_events(1)
    row = await owner.fetchrow(
        """
        SELECT e.id, e.at, a.earned_on FROM badge_award_events e
        JOIN badge_awards a ON a.id = e.badge_award_id WHERE e.badge_definition_id = $1
        """,
        badge,
    )
    assert row is not None
    assert event.kind == "granted"
    # Postgres leaves out the zeros at the end of a fraction: the instant counts, not its text.
    assert datetime.fromisoformat(event.data["at"]) == row["at"]
    assert event.data == {
        "id": row["id"],
        "kind": "granted",
        "peer_mentor_id": mine.mentors[0],
        "badge_definition_id": badge,
        "key": "first",
        "name": "Første samtale",
        "tier": None,
        "earned_on": row["earned_on"].isoformat(),
        "at": event.data["at"],
        "source": "admin",
    }


async def test_whoever_is_connected_hears_of_a_commit(
    service: Service, owner: Pool, mine: Organization
) -> None:
    badge = await define(owner, mine.id, RAW)
    client = coordinator(service, mine.id)
    reading = asyncio.create_task(client.read(lambda: len(client.events) >= 2))
    await until(lambda: client.last_id is not None)
    written = [*await write(owner, mine.mentors[0], badge)]
    await until(lambda: client.ids == written)
    written += await write(owner, mine.mentors[1], badge)
    assert await reading
    assert client.ids == written


async def test_a_client_without_an_id_begins_now(
    service: Service, owner: Pool, mine: Organization
) -> None:
    badge = await define(owner, mine.id, RAW)
    await write(owner, mine.mentors[0], badge, 3)
    client = coordinator(service, mine.id)
    await client.begin()
    later = await write(owner, mine.mentors[0], badge)
    await client.read_events(1)
    assert client.ids == later


async def test_each_event_is_a_place_to_go_on_from(
    service: Service, owner: Pool, mine: Organization
) -> None:
    """Hangs up after every single event, of batches too, whether missed or heard as they came."""
    badge = await define(owner, mine.id, RAW)
    client = coordinator(service, mine.id)
    await client.begin()
    written = await write(owner, mine.mentors[0], badge, 4)
    for _ in range(4):
        await client.read_events(1)
        written += await write(owner, mine.mentors[1], badge)
    while len(client.events) < len(written):
        await client.read_events(1)
    assert client.ids == written

    for _ in range(3):
        reading = asyncio.create_task(client.read_events(1))
        written += await write(owner, mine.mentors[0], badge, 3)
        await reading
        await client.read_events(2)
    assert client.ids == written


async def test_an_open_transaction_delays_its_own_events_alone(
    service: Service, owner: Pool, mine: Organization
) -> None:
    badge = await define(owner, mine.id, RAW)
    listening, returning = coordinator(service, mine.id), coordinator(service, mine.id)
    await returning.begin()
    reading = asyncio.create_task(listening.read(lambda: len(listening.events) >= 8))
    await until(lambda: listening.last_id is not None)
    async with owner.acquire() as connection, connection.transaction():
        late = await write(connection, mine.mentors[0], badge, 2)
        others = await write(owner, mine.mentors[1], badge, 2)
        await until(lambda: listening.ids == others)
        await returning.read_events(1)
        others += await write(owner, mine.mentors[1], badge, 2)
        await until(lambda: listening.ids == others)
        await returning.read_events(3)
        assert returning.ids == others
        late += await write(connection, mine.mentors[0], badge)
    await until(lambda: listening.ids == others + late)
    await returning.read_events(1)
    others_after = await write(owner, mine.mentors[1], badge)
    assert await reading
    await returning.read_events(3)
    assert listening.ids == returning.ids == others + late + others_after


async def test_a_transaction_that_is_rolled_back_is_never_told(
    service: Service, owner: Pool, mine: Organization
) -> None:
    badge = await define(owner, mine.id, RAW)
    client = coordinator(service, mine.id)
    await client.begin()
    async with owner.acquire() as connection:
        undone = connection.transaction()
        await undone.start()
        await write(connection, mine.mentors[0], badge)
        written = await write(owner, mine.mentors[0], badge)
        await client.read_events(1)
        await undone.rollback()
    written += await write(owner, mine.mentors[0], badge)
    await client.read_events(1)
    assert client.ids == written


async def test_nobody_sees_another_organization(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    """Neither live nor when they come back; and a mentor sees nobody else."""
    badge = await define(owner, None, RAW)
    kari, ola = mine.mentors
    whole = coordinator(service, mine.id)
    own = mentor(service, mine.id, kari)
    foreign = coordinator(service, other.id)
    stray = mentor(service, other.id, kari)
    clients = (whole, own, foreign, stray)
    for client in clients:
        await client.begin()
    theirs = await write(owner, other.mentors[0], badge)
    missed = [*await write(owner, kari, badge), *await write(owner, ola, badge)]

    readings = [
        asyncio.create_task(client.read(lambda: len(foreign.events) >= 2)) for client in clients
    ]
    await until(lambda: whole.ids == missed and len(own.events) == len(foreign.events) == 1)
    live = [*await write(owner, kari, badge), *await write(owner, ola, badge)]
    await until(lambda: whole.ids == missed + live and len(own.events) == 2)
    theirs += await write(owner, other.mentors[0], badge)
    await until(lambda: len(foreign.events) == 2)
    for reading in readings:
        reading.cancel()
    await asyncio.gather(*readings, return_exceptions=True)
    assert own.ids == [missed[0], live[0]]
    assert foreign.ids == theirs
    assert stray.ids == []


async def test_a_mentor_who_moves_is_seen_where_they_are(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    """And the badge of the organization that they left is not named to the new one."""
    badge = await define(owner, mine.id, RAW)
    left, entered = coordinator(service, mine.id), coordinator(service, other.id)
    await left.begin()
    await entered.begin()
    kari, ola = mine.mentors
    (missed,) = await write(owner, kari, badge)
    await owner.execute(
        "UPDATE peer_mentors SET organization_id = $1 WHERE id = $2", other.id, kari
    )
    (event,) = await entered.read_events(1)
    assert (event.data["id"], event.data["key"], event.data["name"]) == (missed, None, None)
    (stays,) = await write(owner, ola, badge)
    await left.read_events(1)
    assert left.ids == [stays]

    hearing = asyncio.create_task(entered.read_events(1))
    (live,) = await write(owner, kari, badge)
    (event,) = await hearing
    assert (event.data["id"], event.data["key"]) == (live, None)


@pytest.mark.parametrize(
    "last_id",
    [
        "x",
        "0",
        "1.2.3",
        "1.1.1.0:5:",
        "1.1.1.9:5:",
        "1.1.1.5:9:8,7",
        "1.1.1.5:9:5,,6",
        "1.1.1.5:9:12",
        "1.1.1.5:9:.5:9:",
        "1.1.99999999999999999999.5:5:",
        "2.1.1.5:5:",
        "1.1.1.5:5:'; DROP TABLE badge_award_events; --",
        "1.1.1.5:5:." + "9" * 30_000,
        "1.1.1.1:30000:" + ",".join(map(str, range(1, 9_000))),
    ],
)
async def test_what_is_no_id_of_the_feed_is_refused(
    service: Service, mine: Organization, last_id: str
) -> None:
    with service.client("coordinator", mine.id) as client:
        answer = client.get("/v1/unlocks", headers={"Last-Event-ID": last_id})
    assert answer.status_code == 400
    assert answer.headers["content-type"] == "application/problem+json"
    assert "without it" in answer.json()["detail"]


async def test_another_clusters_id_goes_on_by_the_event(
    service: Service, owner: Pool, mine: Organization
) -> None:
    badge = await define(owner, mine.id, RAW)
    written = await write(owner, mine.mentors[0], badge, 5)
    clients = [
        Client(service, signed("coordinator", mine.id), f"1.{cluster}.{written[1]}.{snapshot}:")
        for cluster, snapshot in (
            ("7", "50:50"),
            ("7", "900000000000:900000000000"),
            # A restore has gone back in time, and the snapshot is of what was undone.
            (await owner.fetchval(CLUSTER), "900000000000:900000000000"),
        )
    ]
    for client in clients:
        await client.read_events(1)
        await client.read_events(2)
    written += await write(owner, mine.mentors[0], badge)
    for client in clients:
        await client.read_events(1)
        assert client.ids == written[2:]

    ahead = Client(service, signed("coordinator", mine.id), "1.7.900000000000000.5:5:")
    assert await ahead.read(lambda: not f"{ahead.last_id}".startswith("1.7."))
    later = await write(owner, mine.mentors[0], badge)
    await ahead.read_events(1)
    assert ahead.ids == later


async def test_a_place_before_everything_gives_what_is_the_callers(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    """Somebody makes up a cursor: it shows them what is theirs to see, in pages."""
    badge = await define(owner, None, RAW)
    for _ in range(3):
        await write(owner, other.mentors[0], badge, 10)
        await write(owner, mine.mentors[0], badge, 700)
    made_up = f"1.{await owner.fetchval(CLUSTER)}.0.1:1:"
    client = Client(service, signed("coordinator", mine.id), made_up)
    await client.read_events(1050)
    await client.read_events(1050)
    assert {event.data["peer_mentor_id"] for event in client.events} == {mine.mentors[0]}
    assert len({*client.ids}) == 2100


async def test_the_stream_ends_with_its_token(
    service: Service, owner: Pool, mine: Organization
) -> None:
    """In good order, and the next token goes on from there."""
    badge = await define(owner, mine.id, RAW)
    client = coordinator(service, mine.id)
    # Who takes longer to connect than a token lasts has heard of no place to go on from.
    while client.last_id is None:
        ends = int(time.time()) + 2
        client.token = signed("coordinator", mine.id, exp=ends)
        await client.read(lambda: False)
        assert time.time() >= ends
    written = await write(owner, mine.mentors[0], badge)
    client.token = signed("coordinator", mine.id)
    await client.read_events(1)
    assert client.ids == written


async def test_the_token_is_not_read_from_the_url(service: Service, mine: Organization) -> None:
    token = signed("coordinator", mine.id)
    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
        for name in ("token", "access_token", "apikey"):
            answer = await client.get(f"{service.url}/v1/unlocks", params={name: token})
            assert answer.status_code == 401


async def test_a_restart_loses_and_repeats_nothing(
    service: Service, postgres: Stack, owner: Pool, mine: Organization, tmp_path: Path
) -> None:
    badge = await define(owner, mine.id, RAW)
    with serving_api(postgres, service.database_url, tmp_path / "first") as first:
        client = coordinator(first, mine.id)
        reading = asyncio.create_task(client.read(lambda: False))
        await until(lambda: client.last_id is not None)
        written = await write(owner, mine.mentors[0], badge, 2)
        await until(lambda: client.ids == written)
    # The stream came to an end of its own, in good order.
    assert not await reading
    written += await write(owner, mine.mentors[0], badge, 2)
    with serving_api(postgres, service.database_url, tmp_path / "second") as second:
        client.service = second
        await client.read_events(1)
        written += await write(owner, mine.mentors[0], badge)
        await client.read_events(2)
    assert client.ids == written
    assert "graceful shutdown exceeded" not in (tmp_path / "first").read_text()


async def test_one_client_too_many_is_told_when_to_come_again(
    service: Service, postgres: Stack, mine: Organization, tmp_path: Path
) -> None:
    """And who has gone makes room; heartbeats carry a place to go on from."""
    settings = {"BADGES_UNLOCK_STREAMS": "1", "BADGES_UNLOCK_HEARTBEAT": "0.1"}
    with serving_api(postgres, service.database_url, tmp_path / "log", **settings) as small:
        client = coordinator(small, mine.id)
        async with client.connected() as answer:
            stream = messages(answer)
            first, second = await anext(stream), await anext(stream)
            assert {first.kind, second.kind} == {""}
            async with client.connected() as refused:
                assert refused.status_code == 503
                assert int(refused.headers["Retry-After"]) > 0

        def has_room() -> bool:
            url, headers = f"{small.url}/v1/unlocks", bearer(client.token)
            with httpx.stream("GET", url, headers=headers, timeout=LIMIT_S) as again:
                return again.status_code == 200

        await until(has_room)


async def test_one_organization_cannot_take_the_room_of_all(
    service: Service, postgres: Stack, mine: Organization, other: Organization, tmp_path: Path
) -> None:
    """Half of it, however many come at once."""
    settings = {"BADGES_UNLOCK_STREAMS": "4"}
    with serving_api(postgres, service.database_url, tmp_path / "log", **settings) as small:
        async with AsyncExitStack() as stack:
            answers = await asyncio.gather(
                *(
                    stack.enter_async_context(coordinator(small, mine.id).connected())
                    for _ in range(8)
                )
            )
            assert sorted(each.status_code for each in answers) == [200] * 2 + [503] * 6
            (refused,) = {await each.aread() for each in answers if each.status_code == 503}
            assert b"of your organization" in refused
            for _ in range(2):
                theirs = await stack.enter_async_context(coordinator(small, other.id).connected())
                assert theirs.status_code == 200


async def test_metrics_tell_of_the_feed(service: Service, owner: Pool, mine: Organization) -> None:
    badge = await define(owner, mine.id, RAW)
    client = coordinator(service, mine.id)
    await client.begin()
    await write(owner, mine.mentors[0], badge)
    await client.read_events(1)
    with service.client("coordinator", mine.id) as reader:
        told = reader.get("/metrics").text
    assert float(told.partition("\nbadges_unlocks_sent_total ")[2].partition("\n")[0]) >= 1
    assert "badges_unlock_streams " in told
    assert "badges_unlock_streams_dropped_total " in told
    assert "badges_unlock_delay_seconds_count " in told


async def test_a_mentor_unknown_to_the_organization_hears_nothing(
    service: Service, owner: Pool, mine: Organization
) -> None:
    badge = await define(owner, mine.id, RAW)
    stranger, whole = mentor(service, mine.id, str(uuid4())), coordinator(service, mine.id)
    await stranger.begin()
    await whole.begin()
    await write(owner, mine.mentors[0], badge)
    reading = asyncio.create_task(stranger.read(lambda: False))
    await whole.read_events(1)
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)
    assert stranger.events == []
