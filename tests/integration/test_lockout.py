"""A worker with a wrong password, from the start and all of a sudden, or without Kafka."""

import asyncio
import subprocess
import sys

import pytest

from streams.errors import WRONG_USE
from tests.integration.alerts import all_closed, told
from tests.integration.connections import end_sessions
from tests.integration.pipeline import Pipeline, Rig
from tests.stack import LIMIT_S, Stack, wait_for

LINE = "badges: Postgres has refused the worker a connection for "


def test_a_wrong_password_ends_a_worker_within_a_minute(stack: Stack) -> None:
    url = stack.database_url.replace(stack.infra.passwords["BADGES_OWNER_PASSWORD"], "wr0ng")
    ended = subprocess.run(
        [sys.executable, "-m", "badges.cli.main", "worker"],
        env={**stack.environment(url)},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )

    assert ended.returncode == 2
    *waited, last = ended.stderr.splitlines()
    assert last.startswith(LINE)
    assert "password authentication failed" in last
    assert all(line.startswith("{") for line in waited)
    assert "wr0ng" not in ended.stderr


@pytest.mark.parametrize("kafka", ["answers", "hangs"])
def test_a_worker_that_is_let_in_no_more_ends_within_a_minute(unmanned: Rig, kafka: str) -> None:
    async def test(p: Pipeline) -> None:
        name = p.site.database + "_guest"
        await p.pool.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'x' IN ROLE badges_worker")
        server = p.stack.database_url.rpartition("@")[2].rpartition("/")[0]
        worker = p.worker(BADGES_DATABASE_URL=f"postgresql://{name}:x@{server}/{p.site.database}")
        try:
            await p.at_work(worker)
            await p.pool.execute(f"ALTER ROLE {name} PASSWORD 'another'")
            if kafka == "hangs":
                await p.newcomer()
                await p.settle()
                p.stack.pause("kafka")
            await end_sessions(p, name)
            await asyncio.to_thread(wait_for, lambda: not worker.runs, LIMIT_S, "the worker's end")
        finally:
            p.stack.resume("kafka")
            worker.end()
            await p.pool.execute(f"DROP ROLE {name}")

        assert worker.exit_code == WRONG_USE
        assert worker.failure().startswith(LINE)

    unmanned.run(test)


def test_a_worker_that_waits_for_kafka_tells_within_a_minute(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        lost = p.worker(BADGES_KAFKA_BOOTSTRAP="127.0.0.1:1")
        lost.start()
        await told(p, "log_unreachable")
        lost.end()
        await p.at_work(p.worker())
        await all_closed(p, "log_unreachable")

    unmanned.run(test)
