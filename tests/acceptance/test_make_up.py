"""The whole stack, worker and API included: up, mended, and gone."""

import asyncio
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import asyncpg
import httpx
import psutil

from badges.stack import addresses, secrets
from tests import http
from tests.launcher import Launcher, kill
from tests.stack import LIMIT_S, wait_for

SOMEBODY = """
WITH home AS (
    INSERT INTO organizations (id, slug, name)
    VALUES (gen_random_uuid(), 'waiting', 'Waiting') RETURNING id
)
INSERT INTO peer_mentors (id, organization_id, display_name)
SELECT gen_random_uuid(), id, 'Somebody' FROM home, generate_series(1, 20)
"""
NAMES = ("postgres", "kafka", "connect", "worker", "api")


def _id(launcher: Launcher, name: str) -> int:
    return int(launcher.layout.pid_file(name).read_text())


def _is_ready(launcher: Launcher) -> bool:
    with suppress(httpx.HTTPError):
        return http.get(f"{launcher.layout.api_url}/readyz").status_code == 200
    return False


def _has_another_id(launcher: Launcher, name: str, before: int) -> bool:
    return _id(launcher, name) != before and psutil.pid_exists(_id(launcher, name))


@contextmanager
def _nobody_works(launcher: Launcher) -> Iterator[None]:
    """Rows wait, and the database lets no worker in."""
    worker = _id(launcher, "worker")
    _execute(launcher, "ALTER ROLE badges_worker CONNECTION LIMIT 0")
    try:
        kill(worker)
        wait_for(
            lambda: _has_another_id(launcher, "worker", worker), LIMIT_S, "the worker's restart"
        )
        _execute(launcher, SOMEBODY)
        wait_for(lambda: _waiting(launcher) > 0, LIMIT_S, "rows that wait")
        yield
    finally:
        _execute(launcher, "ALTER ROLE badges_worker CONNECTION LIMIT -1")


def _execute(launcher: Launcher, statements: str) -> None:
    async def run() -> None:
        passwords = secrets.load(launcher.layout.run_dir)
        connection = await asyncpg.connect(addresses.owner_url(launcher.layout, passwords))
        try:
            await connection.execute(statements)
        finally:
            await connection.close()

    asyncio.run(run())


def _waiting(launcher: Launcher) -> float:
    """How many records wait, by the API's metrics."""
    text = http.get(f"{launcher.layout.api_url}/metrics").text
    found = re.findall(r'^badges_behind_records\{partition="\d+"\} (\S+)$', text, re.MULTILINE)
    return sum(map(float, found))


def test_the_whole_stack_comes_up_stays_up_and_goes(launcher: Launcher) -> None:
    code, output, errors = launcher.run("up")
    assert code == 0, output + errors
    wait_for(lambda: _is_ready(launcher), LIMIT_S, "the API's readiness")
    assert f"dashboard at {launcher.layout.dashboard_url}" in output
    assert http.get(launcher.layout.dashboard_url).headers["content-type"].startswith("text/html")
    assert all(psutil.pid_exists(_id(launcher, name)) for name in NAMES)

    worker, api = _id(launcher, "worker"), _id(launcher, "api")
    kill(worker)
    kill(api)
    wait_for(lambda: _has_another_id(launcher, "worker", worker), LIMIT_S, "the worker's restart")
    wait_for(lambda: _has_another_id(launcher, "api", api), LIMIT_S, "the API's restart")
    wait_for(lambda: _is_ready(launcher), LIMIT_S, "the API's readiness")

    kill(_id(launcher, "supervisor"))
    worker, api = _id(launcher, "worker"), _id(launcher, "api")
    kill(worker)
    code, _, errors = launcher.run("up")
    assert (code, errors) == (0, "")
    assert _has_another_id(launcher, "worker", worker)
    assert _id(launcher, "api") == api

    with _nobody_works(launcher):
        code, output, errors = launcher.run("up")
        assert (code, errors) == (0, "")
        assert re.search(r"^\d+ records of the log wait and no worker is", output, re.MULTILINE)

    ids = [_id(launcher, name) for name in (*NAMES, "supervisor")]
    assert launcher.run("down")[0] == 0
    assert launcher.running() == set()
    # A process that has ended has its id until its parent, or the system, takes note of that.
    wait_for(lambda: not any(map(psutil.pid_exists, ids)), LIMIT_S, "the end of all processes")


def test_env_tells_a_shell_where_the_stack_is(launcher: Launcher) -> None:
    place = {"BADGES_RUN_DIR": str(launcher.layout.run_dir), "STACK": "local"}
    badges = [sys.executable, "-m", "badges.cli.main", "env"]

    never = subprocess.run(
        badges, env={**os.environ, **place}, capture_output=True, text=True, check=False
    )
    launcher.layout.make()
    secrets.ensure(launcher.layout.run_dir)
    printed = subprocess.run(
        [*badges, "--json"], env={**os.environ, **place}, capture_output=True, check=True
    )
    in_shell = subprocess.run(
        ["sh", "-c", f'eval "$({" ".join(badges)})" && env'],
        env={**os.environ, **place},
        capture_output=True,
        text=True,
        check=True,
    )

    assert (never.returncode, never.stderr.count("\n")) == (2, 1)
    assert "make up" in never.stderr
    told = json.loads(printed.stdout)
    assert set(told) == {
        "BADGES_DATABASE_URL",
        "BADGES_KAFKA_BOOTSTRAP",
        "BADGES_CONNECT_URL",
        "BADGES_API_URL",
        "BADGES_JWT_SECRET",
    }
    assert set(told.items()) <= {tuple(line.split("=", 1)) for line in in_shell.stdout.splitlines()}
    assert told["BADGES_CONNECT_URL"] == launcher.layout.connect_url
