"""The project's own processes in the local stack: each gets the settings of its own role."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Mapping

import asyncpg
import psutil
from aiokafka.errors import KafkaError

from badges import event_loop, settings
from badges.stack import addresses, processes
from badges.stack.infra import Infra
from badges.stack.layout import Layout
from schema.database import connect, first_line
from sinks.polling import POLL_S
from streams.errors import Failure
from streams.lag.backlog import backlog
from streams.log import generations
from streams.log.cluster import COMMAND_ANSWER_S, Cluster
from streams.log.kafka import KafkaAccess

_PATIENCE_S = 15.0
"""A worker that has just been started connects sooner."""


def prefix() -> str:
    return settings.load().prefix


def command(infra: Infra, name: str) -> processes.Command:
    return processes.Command(name, _line(name), environment=_environment(infra, name))


def run(infra: Infra, name: str) -> None:
    """Run a badges command; what it prints is seen. Raises Failure if it fails."""
    marked = {processes.MARK: processes.mark(infra.layout, name)}
    told = {**processes.surroundings(), **_environment(infra, name), **marked}
    code = subprocess.run(_line(name), check=False, env=told).returncode
    if code:
        raise Failure(f"badges {name} failed (exit code {code}); its own line above says why")


def start_supervisor(layout: Layout) -> psutil.Process:
    """Start the process that starts the worker and the API, again when they die."""
    line = [sys.executable, "-m", "badges.stack", "supervise"]
    place = {
        "BADGES_RUN_DIR": str(layout.run_dir),
        "BADGES_PORT_BASE": str(layout.port_base),
    }
    return processes.spawn(layout, processes.Command("supervisor", line, environment=place))


def is_ready(layout: Layout) -> bool:
    return processes.answers(f"{layout.api_url}/readyz")


def _environment(infra: Infra, name: str) -> dict[str, str]:
    return addresses.for_command(infra.layout, infra.passwords, name)


def _line(name: str) -> list[str]:
    return [sys.executable, "-m", "badges.cli.main", name]


def what_waits(layout: Layout, passwords: Mapping[str, str]) -> str | None:
    """What of the log waits while no worker is connected, in a sentence, or None.

    A stack that is up is up, also when this cannot be told.
    """
    return event_loop.run(lambda: _what_waits(layout, passwords))


async def _what_waits(layout: Layout, passwords: Mapping[str, str]) -> str | None:
    deadline = time.monotonic() + _PATIENCE_S
    try:
        async with (
            asyncio.timeout(_PATIENCE_S + COMMAND_ANSWER_S),
            connect(addresses.owner_url(layout, passwords)) as connection,
            Cluster(KafkaAccess(layout.kafka_bootstrap), patience=COMMAND_ANSWER_S) as cluster,
        ):
            while True:
                live = await generations.live(connection)
                found = await backlog(live, connection, cluster) if live else None
                if found is None or not found.deserted:
                    return None
                if time.monotonic() > deadline:
                    return found.sentence
                await asyncio.sleep(POLL_S)
    except (Failure, OSError, KafkaError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"what waits cannot be told: {first_line(error)}"
