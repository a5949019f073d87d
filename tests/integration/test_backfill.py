"""A new badge reaches everybody: watched, throttled, once each, and rows do not wait for it."""

from functools import partial
from typing import Any
from uuid import UUID, uuid4

import httpx

from tests.integration.commands import lag
from tests.integration.pipeline import PARTITIONS, Pipeline, Rig, count_of, partition_of
from tests.integration.serving import served
from tests.integration.workers import LONG_SESSION, Worker
from tests.stack import LIMIT_S

A_LONG_PAUSE = "3600"
WORKERS = 2
TEN = 10


async def backfill(p: Pipeline) -> Any:
    """What `badges lag` says of new versions."""
    return (await lag(p))["backfill"]


async def are_shared_out(*workers: Worker) -> bool:
    """Whether the workers have as many partitions each."""
    last = [worker.said("partitions assigned")[-1:] for worker in workers]
    return [len(each[0]["partitions"]) for each in last if each] == [
        PARTITIONS // len(workers) for _ in workers
    ]


async def taken_up(p: Pipeline, *ids: UUID) -> set[int]:
    """The partitions that have taken up a version of each of these."""
    rows = await p.pool.fetch(
        "SELECT partition FROM badge_rule_positions WHERE id = ANY ($1) AND log_id = $2 "
        "GROUP BY partition HAVING count(DISTINCT id) = $3",
        list(ids),
        p.log.log_id,
        len(ids),
    )
    return {row["partition"] for row in rows}


async def are_taken_up(p: Pipeline, number: int, *ids: UUID) -> bool:
    """Whether so many partitions have taken up a version of each of these."""
    return len(await taken_up(p, *ids)) == number


async def crowd(p: Pipeline, organization: UUID, number: int) -> list[UUID]:
    """So many mentors in each partition, each with two visits that are decided already."""
    mentors: dict[int, list[UUID]] = {each: [] for each in range(PARTITIONS)}
    while any(len(each) < number for each in mentors.values()):
        mentor = uuid4()
        of = mentors[partition_of(mentor, PARTITIONS)]
        if len(of) < number:
            of.append(mentor)
    everybody = [mentor for each in mentors.values() for mentor in each]
    await p.pool.execute(
        "INSERT INTO peer_mentors (id, organization_id, display_name) "
        "SELECT unnest($1::uuid[]), $2, 'Nobody'",
        everybody,
        organization,
    )
    await visits(p, everybody, 2)
    await p.settle()
    return everybody


async def visits(p: Pipeline, mentors: list[UUID], number: int) -> None:
    """Insert so many visits of each mentor."""
    await p.pool.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "SELECT gen_random_uuid(), mentor, 'visit', date '2026-01-01' + n "
        "FROM unnest($1::uuid[]) AS mentor, generate_series(1, $2::int) AS n",
        mentors,
        number,
    )


async def have(p: Pipeline, mentors: list[UUID], activities: int) -> bool:
    """Whether so many activities of each mentor are decided."""
    found = await p.pool.fetchval(
        "SELECT count(*) FROM peer_mentor_stats "
        "WHERE peer_mentor_id = ANY ($1) AND activity_count = $2",
        mentors,
        activities,
    )
    return bool(found == len(mentors))


async def granted(
    p: Pipeline, badge: UUID, mentors: list[UUID]
) -> dict[UUID, list[tuple[str, str]]]:
    """What became of a badge, as kind and source, by mentor."""
    events: dict[UUID, list[tuple[str, str]]] = {}
    for row in await p.pool.fetch(
        "SELECT peer_mentor_id, kind, source FROM badge_award_events "
        "WHERE badge_definition_id = $1 AND peer_mentor_id = ANY ($2) ORDER BY id",
        badge,
        mentors,
    ):
        events.setdefault(row["peer_mentor_id"], []).append((row["kind"], row["source"]))
    return events


def figures(text: str) -> dict[str, str]:
    """The backfill's metrics, by the end of their names."""
    lines = (line.split() for line in text.splitlines() if line.startswith("badges_backfill_"))
    return {name.removeprefix("badges_backfill_"): value for name, value in lines}


async def throttled(p: Pipeline) -> list[Worker]:
    """Two workers with half of the partitions each, of which one may take versions up, once."""
    workers = [p.worker(BADGES_BACKFILL_PAUSE=A_LONG_PAUSE, **LONG_SESSION) for _ in range(WORKERS)]
    await p.at_work(*workers)
    await p.until(partial(are_shared_out, *workers), what="two partitions each")
    return workers


async def newcomer_in(p: Pipeline, partition: int) -> tuple[UUID, UUID]:
    """A new organization, and a mentor of it with two visits whose rows are in this partition."""
    mentor = next(each for each in iter(uuid4, None) if partition_of(each, PARTITIONS) == partition)
    organization = await p.organization()
    await p.pool.execute(
        "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'New')",
        mentor,
        organization,
    )
    await visits(p, [mentor], 2)
    return organization, mentor


async def is_told(address: str) -> bool:
    """Whether a process's metrics tell of one badge that one partition of each worker has."""
    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
        found = figures((await client.get(f"{address}/metrics")).text)
    left = found.pop("seconds_left", "NaN")
    return left != "NaN" and found == {"definitions": "1.0", "partitions_done": f"{WORKERS}.0"}


async def nobody_works(p: Pipeline) -> bool:
    """Whether the sessions of all workers are over."""
    return not await p.pool.fetchval(
        "SELECT count(*) FROM pg_stat_activity "
        "WHERE datname = current_database() AND application_name = 'badges worker'"
    )


def test_how_far_it_is_can_be_watched(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        unhurried = p.worker()
        await p.at_work(unhurried)
        await p.settle()
        unhurried.end()
        workers = await throttled(p)
        badge = await p.badge(None, count_of(2, "visit"))
        await p.until(partial(are_taken_up, p, WORKERS, badge), what="one partition of each worker")
        under_way = await backfill(p)
        assert (under_way["definitions"], under_way["partitions_done"]) == (1, WORKERS)
        assert under_way["partitions"] == PARTITIONS
        assert under_way["seconds_left"] is not None
        with served(p) as address:
            await p.until(partial(is_told, address), what="the API's metrics")

        # Nobody works: how far it came is told, and nobody knows how long the rest takes.
        for worker in workers:
            worker.end()
        await p.until(partial(nobody_works, p), what="the end of the workers' sessions")
        assert await backfill(p) == {**under_way, "seconds_left": None}
        await p.at_work(unhurried)
        await p.settle()
        assert await backfill(p) is None
        await p.retire_everything()

    unmanned.run(test)


def test_rows_do_not_wait_for_it(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        unhurried = p.worker()
        await p.at_work(unhurried)
        mentors = await crowd(p, await p.organization(), 3)
        unhurried.end()
        workers = await throttled(p)
        badge = await p.badge(None, count_of(2, "visit"))
        await p.until(partial(are_taken_up, p, WORKERS, badge), what="one partition of each worker")
        first = await taken_up(p, badge)
        await visits(p, mentors, 1)
        await p.until(partial(have, p, mentors, 3), what="the rows")
        assert await taken_up(p, badge) == first
        holders = {each for each in mentors if partition_of(each, PARTITIONS) in first}
        assert (await granted(p, badge, mentors)).keys() == holders

        # Who names what is new is not kept waiting, and takes all along that is new.
        waiting = min(set(range(PARTITIONS)) - first)
        organization, newcomer = await newcomer_in(p, waiting)
        await p.until(partial(have, p, [newcomer], 2), what="the newcomer's rows")
        assert await taken_up(p, badge) == {*first, waiting}
        assert await taken_up(p, organization) == {waiting}
        assert await granted(p, badge, [newcomer]) == {newcomer: [("granted", "stream")]}
        under_way = await backfill(p)
        assert (under_way["definitions"], under_way["partitions_done"]) == (2, 1)
        assert under_way["seconds_left"] is None

        for worker in workers:
            worker.end()
        await p.at_work(unhurried)
        await p.settle()
        events = await granted(p, badge, mentors)
        assert events == {each: [("granted", "replay")] for each in mentors}
        await p.verify()
        await p.retire_everything()

    unmanned.run(test)


def test_everybody_who_qualifies_gets_it_once_whatever_rows_come_meanwhile(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        workers = [p.worker(BADGES_BACKFILL_PAUSE="0.2") for _ in range(WORKERS)]
        await p.at_work(*workers)
        organization = await p.organization()
        mentors = await crowd(p, organization, 100)
        late = mentors[::2]
        badges = [await p.badge(organization, count_of(n, "visit")) for n in (2, TEN)]
        # Some come to have ten just then: the version or the row, whichever comes later.
        await visits(p, late, TEN - 2)
        await p.settle()
        two, ten = [await granted(p, badge, mentors) for badge in badges]
        assert two.keys() == set(mentors)
        assert ten.keys() == set(late)
        for events in (*two.values(), *ten.values()):
            assert [kind for kind, _ in events] == ["granted"]
        assert {source for events in two.values() for _, source in events} == {"replay"}
        await p.verify()
        await p.retire_everything()

    unmanned.run(test)
