"""unlocks_since: what happened to awards behind a cursor, for PostgREST and for the API's feed."""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from typing import Any
from uuid import UUID

import asyncpg
import pytest

from schema.database import connect
from sinks.polling import poll
from sinks.pool import Connection
from tests.integration.schema.people import People, settle
from tests.stack import LIMIT_S

pytestmark = pytest.mark.anyio

INSERT = """
    INSERT INTO badge_award_events (
        badge_award_id, peer_mentor_id, badge_definition_id, kind, source)
    SELECT gen_random_uuid(), $1, $2, 'granted', 'stream' FROM generate_series(1, $3)
    RETURNING id
"""
RESTORED = """
    INSERT INTO badge_award_events (
        xid, badge_award_id, peer_mentor_id, badge_definition_id, kind, source)
    VALUES ($1::text::xid8, gen_random_uuid(), $2, $3, 'granted', 'stream')
    RETURNING id
"""


async def write(db: Connection, people: People, count: int = 1) -> list[int]:
    return [row["id"] for row in await db.fetch(INSERT, people.mentor, people.definition, count)]


async def since(
    db: Connection,
    people: People,
    cursor: str | None,
    role: str = "coordinator",
    sub: UUID | None = None,
) -> dict[str, Any]:
    """What the function says to somebody of the organization."""
    metadata = {"organization_id": str(people.organization), "role": role}
    await db.execute(
        "SELECT set_config('request.jwt.claims', $1, false)",
        json.dumps({"sub": str(sub), "app_metadata": metadata}),
    )
    found: dict[str, Any] = json.loads(await db.fetchval("SELECT unlocks_since($1)", cursor))
    await db.execute("RESET request.jwt.claims")
    return found


def ids(items: Sequence[dict[str, Any]]) -> list[int]:
    return [item["id"] for item in items]


async def test_each_cursor_is_a_place_to_go_on_from(db: Connection) -> None:
    people = await settle(db)
    begin = (await since(db, people, None))["next"]
    written = await write(db, people, 3)
    written += await write(db, people)
    page = await since(db, people, begin)
    assert ids(page["items"]) == written
    assert page["items"][0]["key"] == "first-visit"
    for place, item in enumerate(page["items"]):
        rest = await since(db, people, item["cursor"])
        assert ids(rest["items"]) == written[place + 1 :]
    assert (await since(db, people, page["next"]))["items"] == []


async def test_what_is_many_comes_in_pages(db: Connection) -> None:
    people = await settle(db)
    cursor = (await since(db, people, None))["next"]
    written = await write(db, people, 2_300) + await write(db, people, 200)
    found: list[int] = []
    while items := (page := await since(db, people, cursor))["items"]:
        assert len(items) <= 1_000
        # From the middle of a page too: what follows is read again.
        found += ids(items[:700])
        cursor = page["next"] if len(items) <= 700 else items[699]["cursor"]
    assert found == written


async def test_who_writes_does_not_take_their_own_events_for_seen(db: Connection, url: str) -> None:
    people = await settle(db)
    async with connect(url) as other:
        async with db.transaction():
            await db.execute("SELECT pg_current_xact_id()")
            # Another one ends meanwhile, so that the open one is not the newest.
            seen = await write(other, people)
            begin = (await since(db, people, None))["next"]
            written = await write(db, people)
        assert ids((await since(db, people, begin))["items"]) == written
        assert not {*seen} & {*written}


async def test_cursors_stay_short_whatever_is_open(db: Connection, url: str) -> None:
    """From the first transaction on that is not named, all are waited for."""
    people = await settle(db)
    async with AsyncExitStack() as stack:
        xids = []
        for _ in range(4):
            writer = await stack.enter_async_context(connect(url))
            await stack.enter_async_context(writer.transaction())
            xids.append(int(await writer.fetchval("SELECT pg_current_xact_id()::text")))
        await write(db, people)
        for most, snapshot in (
            (2, f"{xids[0]}:{xids[2]}:{xids[0]},{xids[1]}"),
            (0, f"{xids[0]}:{xids[0]}:"),
        ):
            # For a moment a transaction of the server's own, or of another database, may be open.
            await poll(partial(is_snapshot, db, most, snapshot), within=LIMIT_S)
        ends_so = "SELECT badges_private.unlock_snapshot()::text LIKE '%' || $1"
        ending = f":{','.join(map(str, xids))}"
        await poll(partial(db.fetchval, ends_so, ending), within=LIMIT_S)


async def is_snapshot(db: Connection, most: int, snapshot: str) -> bool:
    query = "SELECT badges_private.unlock_snapshot($1)::text"
    return bool(await db.fetchval(query, most) == snapshot)


async def test_rows_from_another_cluster_are_as_old_as_can_be(db: Connection) -> None:
    """Their transactions lie ahead here: they are told by id, to who comes from there, and once."""
    people = await settle(db)
    begin = (await since(db, people, None))["next"]
    ahead = int(await db.fetchval("SELECT pg_current_xact_id()::text")) + 20
    restored = await db.fetchval(RESTORED, str(ahead), people.mentor, people.definition)
    written = await write(db, people)
    for _ in range(25):
        await db.execute("SELECT pg_current_xact_id()")
    written += await write(db, people)
    assert ids((await since(db, people, begin))["items"]) == written
    elsewhere = f"1.7.{restored - 1}.5:5:"
    assert ids((await since(db, people, elsewhere))["items"]) == [restored, *written]


async def test_a_row_of_a_savepoint_is_of_here(db: Connection) -> None:
    people = await settle(db)
    begin = (await since(db, people, None))["next"]
    async with db.transaction():
        written = await write(db, people)
        async with db.transaction():
            written += await write(db, people)
    assert ids((await since(db, people, begin))["items"]) == written


async def test_whose_events_there_are_is_what_the_claims_say(db: Connection) -> None:
    """Also to who may do nothing but call the function."""
    mine, other = await settle(db), await settle(db, "bergen")
    begin = (await since(db, mine, None))["next"]
    (own,) = await write(db, mine)
    (theirs,) = await write(db, other)
    await db.execute("CREATE ROLE visitor; GRANT EXECUTE ON FUNCTION unlocks_since TO visitor")
    try:
        await db.execute("SET ROLE visitor")
        assert ids((await since(db, mine, begin))["items"]) == [own]
        assert ids((await since(db, other, begin))["items"]) == [theirs]
        assert ids((await since(db, mine, begin, "mentor", mine.mentor))["items"]) == [own]
        for role, sub in (("mentor", other.mentor), ("mentor", None), ("somebody", mine.mentor)):
            assert (await since(db, mine, begin, role, sub))["items"] == []
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await db.execute("SELECT badges_private.unlocks_of_all(NULL, 10)")
    finally:
        await db.execute("RESET ROLE")
        await db.execute("DROP OWNED BY visitor; DROP ROLE visitor")


async def test_a_cursor_that_is_none_says_what_to_do(db: Connection) -> None:
    people = await settle(db)
    for cursor in ("", "x", "1.1.1.9:5:", "1.1.1.99999999999999999999:5:"):
        with pytest.raises(asyncpg.InvalidParameterValueError) as refused:
            await since(db, people, cursor)
        assert refused.value.hint == "Begin without one: the feed then begins now."


async def test_a_transaction_announces_its_events_once(db: Connection, url: str) -> None:
    """And nothing where nothing was added: a worker writes many turns without an event."""
    people = await settle(db)
    heard: asyncio.Queue[str] = asyncio.Queue()
    async with connect(url) as listener:
        await listener.add_listener("badges_unlocks", lambda *said: heard.put_nowait(said[3]))
        await write(db, people, 0)
        async with db.transaction():
            await write(db, people)
            await write(db, people, 2)
            assert heard.empty()
        await db.execute("NOTIFY badges_unlocks, 'the end'")
        async with asyncio.timeout(LIMIT_S):
            assert [await heard.get(), await heard.get()] == ["", "the end"]
