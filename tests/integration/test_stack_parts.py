"""The parts of the real stack: settings that the design rests on, and faults by process id."""

import asyncio
import os
import subprocess
import sys

import asyncpg
import httpx
import psutil
import pytest

from badges.console.stack import processes, versions
from tests.stack import Stack, running_postgres, wait_for


async def _settings(url: str) -> dict[str, str]:
    connection = await asyncpg.connect(url)
    try:
        return {row["name"]: row["setting"] for row in await connection.fetch("TABLE pg_settings")}
    finally:
        await connection.close()


def test_postgres_is_the_version_and_durable_and_ready_for_debezium(
    database_url: str,
) -> None:
    settings = asyncio.run(_settings(database_url))

    assert settings["server_version"].split(".")[0] == versions.POSTGRES
    assert settings["wal_level"] == "logical"
    assert settings["fsync"] == settings["synchronous_commit"] == settings["full_page_writes"]
    assert settings["fsync"] == "on"
    assert settings["listen_addresses"] == "127.0.0.1"


def test_postgres_asks_for_the_password(postgres: Stack) -> None:
    wrong = postgres.database_url.replace(postgres.infra.passwords["BADGES_OWNER_PASSWORD"], "x")

    with pytest.raises(asyncpg.InvalidPasswordError):
        asyncio.run(_settings(wrong))


def test_connect_has_debezium_and_the_offsets_interface(stack: Stack) -> None:
    plugins = httpx.get(f"{stack.connect_url}/connector-plugins").json()
    offsets = httpx.get(f"{stack.connect_url}/connectors/nobody/offsets")

    found = {plugin["class"]: plugin["version"] for plugin in plugins}
    assert found["io.debezium.connector.postgresql.PostgresConnector"] == versions.DEBEZIUM
    assert httpx.get(stack.connect_url).json()["version"] == versions.KAFKA
    assert "nobody" in offsets.json()["message"]


def test_every_port_is_bound_to_the_loopback_address_only(stack: Stack) -> None:
    listening = {
        connection.laddr.ip
        for part in ("postgres", "kafka", "connect")
        for connection in stack.process(part).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    }

    assert listening == {"127.0.0.1"}


@pytest.mark.parametrize("part", ["postgres", "kafka", "connect"])
def test_a_killed_part_comes_back_with_another_id(stack: Stack, part: str) -> None:
    before = stack.process(part).pid

    stack.kill(part)
    assert stack.infra.process(part) is None
    stack.start(part)

    assert stack.process(part).pid != before
    assert stack.infra.is_ready(part)


def test_a_paused_part_can_still_be_stopped(stack: Stack) -> None:
    stack.pause("kafka")

    stack.stop("kafka")

    assert stack.infra.process("kafka") is None
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
        "    print(stack.process('postgres').pid, flush=True)\n"
        "    time.sleep(600)\n"
    )
    run = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    assert run.stdout is not None
    server = psutil.Process(int(run.stdout.readline()))

    run.kill()
    run.wait()
    run.stdout.close()

    wait_for(lambda: not processes.is_running(server), 20, "the server's end")


def test_two_stacks_run_side_by_side(postgres: Stack) -> None:
    with running_postgres() as other:
        assert other.process("postgres").pid != postgres.process("postgres").pid
        assert asyncio.run(_settings(other.database_url))["port"] != str(
            postgres.infra.layout.port("postgres")
        )
    assert postgres.infra.is_ready("postgres")
