"""When rows wait and no worker gets on, the API is there to tell, and so does `provision`."""

import re
from uuid import UUID

from streams.errors import SnapshotFailed
from streams.filling import next_generation, removal
from streams.lag.backlog import backlog, unworked
from streams.lag.backlog_watch import CONFIRMATIONS, STILL_S, Watch
from streams.lag.pulse import Pulses
from streams.log import generations
from streams.log.generations import Generation
from tests import http
from tests.doubles.memory_alerts import MemoryAlerts
from tests.integration.alerts import alert, all_closed, told
from tests.integration.commands import answer
from tests.integration.pipeline import PARTITIONS, Pipeline, Rig
from tests.integration.serving import served
from tests.patience import patient_pool

ROWS = 500


def waiting(address: str) -> dict[int, float]:
    """How many records wait, by partition and the API's metrics; empty before it has looked."""
    text = http.get(f"{address}/metrics").text
    found = re.findall(r'^badges_behind_records\{partition="(\d+)"\} (\S+)$', text, re.MULTILINE)
    return {int(partition): float(records) for partition, records in found}


def test_rows_that_wait_for_nobody_are_an_alert(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        worker = p.worker()
        await p.at_work(worker)
        await p.come_to_rest()
        with served(p) as address:
            await p.until(lambda: is_behind(address, 0), what="that nothing waits")
            assert await alert(p, "nobody_works") is None

            worker.pause()
            await write(p, mentor, ROWS)
            await p.until(lambda: all_wait(p), what="that the log has the rows")
            worker.kill()

            async def all_are_told() -> bool:
                # On a busy machine it is told of a frozen worker first, and of fewer.
                detail = await alert(p, "nobody_works")
                return detail is not None and f"{ROWS} records" in str(detail["message"])

            await p.until(all_are_told, what="the alert of all records")
            await p.until(lambda: is_behind(address, ROWS), what="what waits")
            for command in (("provision", "--dry-run"), ("provision",)):
                notes = (await answer(p, *command))["notes"]
                waits = f"{ROWS} records of the log wait and no worker is"
                assert any(waits in note for note in notes)

            await p.at_work(worker)
            await p.settle()
            await all_closed(p, "nobody_works")
            await p.until(lambda: is_behind(address, 0), what="that nothing waits again")
            notes = (await answer(p, "provision"))["notes"]
            assert not any("no worker" in note for note in notes)
        print(f"{organization} had {ROWS} rows that waited")

    unmanned.run(test)


def test_rows_that_wait_for_a_frozen_worker_are_an_alert(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        worker = p.worker()
        await p.at_work(worker)
        await p.come_to_rest()
        with served(p) as address:
            await p.until(lambda: is_behind(address, 0), what="that nothing waits")
            worker.pause()
            await write(p, mentor, ROWS)
            await p.until(lambda: all_wait(p), what="that the log has the rows")
            notes = (await answer(p, "provision"))["notes"]
            assert any(f"{ROWS} records of the log wait and no position" in note for note in notes)

            detail = await told(p, "nobody_works")
            assert "it is frozen" in detail["message"]

            worker.resume()
            await p.settle()
            await all_closed(p, "nobody_works")

    unmanned.run(test)


def test_a_log_that_stands_still_and_says_why_has_no_second_alert(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        now = 0.0
        url = p.role_url("badges_api")
        async with await patient_pool(url, application_name="badges api") as pool:
            heard = MemoryAlerts()
            watch = Watch(pool, p.site.cluster, heard, Pulses(), lambda: now)
            worker = p.worker()
            await p.at_work(worker)
            await p.settle()
            worker.pause()
            await write(p, mentor, ROWS)
            await p.until(lambda: all_wait(p), what="that the log has the rows")

            async def looks() -> list[str]:
                nonlocal now
                for _ in range(CONFIRMATIONS):
                    await watch.look()
                    now += STILL_S
                await watch.look()
                return [str(each.detail["message"]) for each in heard.alerts]

            await p.pool.execute(
                "INSERT INTO badge_alerts (kind, detail) SELECT 'turn_stalled', "
                "jsonb_build_object('subject', n::text) FROM generate_series(0, $1::int - 1) AS n",
                PARTITIONS,
            )
            assert await looks() == []
            said = await unworked(p.log, p.pool, p.site.cluster)
            assert said is not None
            assert said.endswith("see the alerts that are open")
            await p.pool.execute("UPDATE badge_alerts SET resolved_at = now()")
            (message,) = await looks()
            assert "it is frozen" in message
            worker.resume()
            await p.settle()
            await watch.look()
            assert heard.alerts[0].resolved_at is not None

    unmanned.run(test)


def test_a_log_that_nothing_took_the_place_of_is_an_alert(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        await p.come_to_rest()
        with served(p) as address:
            await p.until(lambda: is_behind(address, 0), what="that nothing waits")
            # What `badges resnapshot` does until it is killed.
            half = await half_filled(p)
            await generations.close_older(p.site.connection, half.number)

            detail = await told(p, "nobody_works")
            assert "run `badges resnapshot` again" in detail["message"]
            await p.until(lambda: is_behind(address, 0, 0), what="that no partition is told of")

            await answer(p, "resnapshot", "--partitions", str(PARTITIONS - 1))
            live = await generations.live(p.pool)
            assert live is not None
            p.log = live
            p.forget_markers()
            await p.settle()
            await all_closed(p, "nobody_works")
            fewer = PARTITIONS - 1
            await p.until(lambda: is_behind(address, 0, fewer), what="metrics of what there is")

            # Also while it is watched: a live log takes the place of one with more partitions.
            await answer(p, "resnapshot", "--partitions", "1")
            await p.until(lambda: is_behind(address, 0, 1), what="metrics of one partition")

    unmanned.run(test)


async def half_filled(p: Pipeline) -> Generation:
    """The next generation, once its snapshot is whole; one that breaks off is begun again."""
    for _ in range(3):
        half = await next_generation.begin(p.site)
        try:
            await next_generation.snapshot_ended(p.site, half)
        except SnapshotFailed as failed:
            await removal.discard(p.site, half, str(failed))
        else:
            return half
    raise AssertionError("three snapshots broke off")


async def write(p: Pipeline, mentor: UUID, rows: int) -> None:
    """Insert activities of one mentor."""
    await p.pool.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "SELECT gen_random_uuid(), $1, 'visit', '2026-01-01' FROM generate_series(1, $2)",
        mentor,
        rows,
    )


async def all_wait(p: Pipeline) -> bool:
    """Whether the connector has brought every one of the rows into the log."""
    found = await backlog(p.log, p.pool, p.site.cluster)
    return sum(found.behind.values()) == ROWS


async def is_behind(address: str, records: int, partitions: int = PARTITIONS) -> bool:
    found = waiting(address)
    return (len(found), sum(found.values())) == (partitions, records)
