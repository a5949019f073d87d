"""A worker goes over to the next generation of the log by itself when that goes live."""

import httpx
import psutil

from streams.filling import provisioning
from streams.log.generations import Generation
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import LONG_SESSION, Worker
from tests.stack import LIMIT_S, free_port_base


async def next_generation(p: Pipeline) -> Generation:
    """Put another generation in the place of the live one; the pipeline's log is that."""
    before, p.log = p.log, await provisioning.fill(p.site)
    assert p.log.number == before.number + 1
    return p.log


async def works_on(p: Pipeline, worker: Worker, log: Generation) -> None:
    """Return when the worker has partitions of this generation."""

    async def begun() -> bool:
        topics = [line["topic"] for line in worker.said("working")]
        return topics[-1:] == [log.topic] and await p.has_partitions(worker)

    await p.until(begun, what=f"that {worker.name} works on {log.topic}")


def listening(worker: Worker) -> set[tuple[str, int]]:
    """The addresses at which the worker's process listens."""
    return {
        (connection.laddr.ip, connection.laddr.port)
        for connection in worker.process.net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }


async def metrics(port: int) -> str:
    """What a worker answers at its metrics port."""
    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
        answer = await client.get(f"http://127.0.0.1:{port}/metrics")
    return answer.raise_for_status().text


def test_workers_begin_again_with_the_generation_that_goes_live(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        await p.activity(mentor, "2026-01-10")
        port = free_port_base()
        open_to_all = {"BADGES_METRICS_HOST": "0.0.0.0"}
        workers = [
            p.worker(BADGES_METRICS_PORT=f"{port}", **open_to_all, **LONG_SESSION),
            p.worker(BADGES_METRICS_PORT=f"{port + 1}", **LONG_SESSION),
        ]
        await p.at_work(*workers)
        await p.settle()
        ids = [worker.process.pid for worker in workers]
        places = [{("0.0.0.0", port)}, {("127.0.0.1", port + 1)}]
        assert [listening(worker) for worker in workers] == places

        log = await next_generation(p)
        await p.activity(mentor, "2026-01-11")

        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        for worker in workers:
            await works_on(p, worker, log)
            assert len(worker.said("beginning again with the live generation")) == 1
            assert not [line for line in worker.lines() if "Traceback" in str(line)]
        assert [worker.process.pid for worker in workers if worker.runs] == ids
        assert [listening(worker) for worker in workers] == places
        for number in (port, port + 1):
            assert "badges_records_folded_total" in await metrics(number)
        await p.verify()
        assert [worker.ask_to_end() for worker in workers] == [0, 0]

    own.run(test)


def test_a_worker_that_was_down_when_its_generation_closed_gets_partitions_of_the_next(
    own: Rig,
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1))
        worker = p.worker(BADGES_SESSION_TIMEOUT="600")
        await p.at_work(worker)
        await p.settle()
        worker.kill()

        log = await next_generation(p)
        await p.activity(mentor, "2026-01-10")
        worker.start()

        await works_on(p, worker, log)
        await p.settle()
        assert await p.award(mentor, badge) is not None
        assert worker.runs

    own.run(test)
