"""What the application pays: its single-row commits with the pipeline, without it, with a trigger.

The commits are pgbench's: one connection, one insert after the other.
"""

import os
import re
import subprocess
from pathlib import Path
from statistics import median
from urllib.parse import unquote, urlsplit

import asyncpg

from bench.figures import Figure
from bench.live import live
from bench.site import Bench
from streams.errors import FOUND_A_PROBLEM, Failure
from tests.integration.pipeline import Pipeline
from tests.stack import Stack

MENTORS = 1000
CASES = ("plain", "trigger", "schema", "pipeline")
SQL = Path(__file__).with_name("sql")


def measure(bench: Bench) -> list[Figure]:
    """Commit to three databases in turn; connector and worker rest while they are not measured."""
    stack, seconds, rounds = bench.stack, bench.size(10, 3), bench.size(3, 1)
    plain, trigger = stack.create_database(), stack.create_database()
    rates: dict[str, list[float]] = {name: [] for name in CASES}
    with live(bench, mentors=MENTORS) as (rig, worker):
        rig.run(lambda _: _prepare(plain, "application.sql"))
        rig.run(lambda _: _prepare(trigger, "application.sql", "trigger.sql"))
        watched = stack.database_url.rpartition("/")[0] + f"/{rig.pipeline.site.database}"
        for _ in range(rounds):
            worker.end()
            rig.run(_rest)
            rates["plain"].append(_commit(stack, plain, seconds))
            rates["trigger"].append(_commit(stack, trigger, seconds))
            rates["schema"].append(_commit(stack, watched, seconds))
            worker.start()
            rig.run(_wake)
            rates["pipeline"].append(_commit(stack, watched, seconds))
            rig.run(lambda pipe: pipe.settle(300))
    return _figures({name: median(found) for name, found in rates.items()})


def _figures(rates: dict[str, float]) -> list[Figure]:
    return [
        Figure("commits_plain", rates["plain"], "commits/s", "of the application alone"),
        Figure(
            "commits_schema",
            rates["schema"],
            "commits/s",
            "into tables ready for the log, which nobody reads; baseline: the application alone",
            rates["plain"],
        ),
        Figure(
            "commits_pipeline",
            rates["pipeline"],
            "commits/s",
            "with the pipeline at work on the same cores; baseline: the application alone",
            rates["plain"],
        ),
        Figure(
            "commits_trigger",
            rates["trigger"],
            "commits/s",
            "with a trigger that counts in the same transaction; baseline: the application alone",
            rates["plain"],
        ),
    ]


async def _prepare(url: str, *scripts: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        for script in scripts:
            await connection.execute((SQL / script).read_text(encoding="utf-8"))
    finally:
        await connection.close()


async def _rest(pipe: Pipeline) -> None:
    await pipe.site.connect.stop(pipe.log.connector)


async def _wake(pipe: Pipeline) -> None:
    await pipe.site.connect.resume(pipe.log.connector)
    await pipe.settle(300)


def _commit(stack: Stack, url: str, seconds: int) -> float:
    """Commits a second. Raises Failure with pgbench's words."""
    pgbench = Path(stack.process("postgres").exe()).with_name("pgbench")
    place = urlsplit(url)
    done = subprocess.run(
        [
            pgbench,
            *("--no-vacuum", "--client=1", f"--time={seconds}", f"--file={SQL / 'insert.sql'}"),
            *(f"--host={place.hostname}", f"--port={place.port}", f"--username={place.username}"),
            place.path.lstrip("/"),
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PGPASSWORD": unquote(place.password or "")},
    )
    found = re.search(r"tps = ([\d.]+)", done.stdout)
    if done.returncode or found is None:
        raise Failure(f"pgbench failed: {done.stderr.strip()[-1000:]}", code=FOUND_A_PROBLEM)
    return float(found[1])
