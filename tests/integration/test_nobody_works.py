"""When rows wait and all workers are gone, the API is there to tell, and so does `provision`."""

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from badges.stack import processes
from tests.integration.commands import answer
from tests.integration.pipeline import Pipeline, Rig
from tests.stack import free_port_base, wait_for

TOLD_WITHIN = 30.0
ROWS = 500


@contextmanager
def served(p: Pipeline) -> Iterator[str]:
    """The API of a pipeline; its address."""
    port = free_port_base()
    environment = {
        **p.worker().environment,
        "BADGES_DATABASE_URL": p.role_url("badges_api"),
        "BADGES_API_PORT": str(port),
    }
    line = [sys.executable, "-m", "badges.cli.main", "api"]
    layout = p.stack.infra.layout
    process = processes.spawn(layout, processes.Command("test-api", line, environment=environment))
    address = f"http://127.0.0.1:{port}"
    try:
        wait_for(lambda: answers(address), 30, "the API's answer")
        yield address
    finally:
        processes.stop(process)


def answers(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def behind(address: str) -> float:
    """How many records wait, by the API's metrics; -1 before it has looked."""
    text = httpx.get(f"{address}/metrics").text
    found = re.findall(r'^badges_behind_records\{partition="\d+"\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, found)) if found else -1


def test_rows_that_wait_for_nobody_are_an_alert(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        with served(p) as address:
            await p.until(lambda: is_behind(address, 0, 0), what="that nothing waits")
            assert await alerts(p) == []

            worker.kill()
            await p.pool.execute(
                "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
                "SELECT gen_random_uuid(), $1, 'visit', '2026-01-01' FROM generate_series(1, $2)",
                mentor,
                ROWS,
            )
            await p.until(lambda: alerts(p), TOLD_WITHIN, "the alert")
            assert "500 records" in (await alerts(p))[0]
            await p.until(lambda: is_behind(address, ROWS, ROWS), what="what waits")
            for command in (("provision", "--dry-run"), ("provision",)):
                told = (await answer(p, *command))["notes"]
                waits = f"{ROWS} records of the log wait and no worker is"
                assert any(waits in note for note in told)

            await p.at_work(worker)
            await p.settle()
            await p.until(lambda: silent(p), what="the end of the alert")
            await p.until(lambda: is_behind(address, 0, 0), what="that nothing waits again")
            told = (await answer(p, "provision"))["notes"]
            assert not any("no worker" in note for note in told)
        print(f"{organization} had {ROWS} rows that waited")

    unmanned.run(test)


async def is_behind(address: str, least: int, most: int) -> bool:
    return least <= behind(address) <= most


async def alerts(p: Pipeline) -> list[str]:
    rows = await p.pool.fetch(
        "SELECT detail ->> 'message' AS message FROM badge_alerts "
        "WHERE kind = 'nobody_works' AND resolved_at IS NULL"
    )
    return [row["message"] for row in rows]


async def silent(p: Pipeline) -> bool:
    return not await alerts(p)
