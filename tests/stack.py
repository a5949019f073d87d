"""The real stack for tests: started once for a run, on free ports, in a folder of its own.

Its parts are local processes, or containers where STACK=docker asks for them. A guard process
ends it when the test run dies in any way, kill -9 included.
"""

import asyncio
import os
import random
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path

import asyncpg
import psutil

from badges.stack import addresses, docker, secrets
from badges.stack.infra import PARTS, Infra
from badges.stack.layout import HOST, PORTS, Layout
from schema import apply
from streams.errors import Failure
from tests.parts import PAUSED, Containers, Parts, Processes

ROOT = Path(__file__).parents[1]
ROLES = ("badges_worker", "badges_api", "badges_connect")
LOWEST, HIGHEST = 22000, 32000
"""Ports to choose from: below those that Linux and macOS give to clients."""
LIMIT_S = 180.0
"""Seconds within which whatever a test waits for has come, however busy the machine is."""


class ServersLost(Exception):
    """Servers did not start. Nothing is said of what a test is about by that."""


class Stack:
    """Postgres, Kafka and Connect of this test run. Parts are named postgres, kafka, connect."""

    def __init__(self, infra: Infra, parts: Parts) -> None:
        self.infra = infra
        self._parts = parts
        self._numbers = count(1)
        self._started: set[str] = set()
        self.disturbed: set[str] = set()
        """Parts that the test at hand has stopped in some way."""
        self.interruptions = 0
        """How often connections to Postgres were broken off."""

    @property
    def logs(self) -> Path:
        """The folder of the logs of parts and workers."""
        return self.infra.layout.run_dir / "logs"

    @property
    def kafka_bootstrap(self) -> str:
        """Kafka's address, HOST:PORT."""
        return self.infra.layout.kafka_bootstrap

    @property
    def connect_url(self) -> str:
        """The address of Connect's REST interface."""
        return self.infra.layout.connect_url

    @property
    def database_url(self) -> str:
        """The owner's URL of the database that Connect's own variables name."""
        return addresses.owner_url(self.infra.layout, self.infra.passwords)

    def role_url(self, role: str, url: str | None = None) -> str:
        """Return a role's URL (badges_worker, badges_api, badges_connect) of a database."""
        database = (url or self.database_url).rpartition("/")[2]
        mine = addresses.role_url(self.infra.layout, self.infra.passwords, role)
        return mine.rpartition("/")[0] + f"/{database}"

    @property
    def role_passwords(self) -> dict[str, str]:
        """The passwords of the worker's, the API's and Connect's role, by the roles' names."""
        return {role: self.infra.passwords[f"{role.upper()}_PASSWORD"] for role in ROLES}

    async def migrate(self, url: str) -> None:
        """Bring a database up to date, its roles with their logins."""
        connection = await asyncpg.connect(url)
        try:
            await apply.migrate(connection, prefix="badges", role_passwords=self.role_passwords)
        finally:
            await connection.close()

    def environment(self, url: str | None = None) -> dict[str, str]:
        """Return the BADGES_* variables of a command run by the database's owner."""
        return {
            **self.infra.passwords,
            "BADGES_DATABASE_URL": url or self.database_url,
            "BADGES_KAFKA_BOOTSTRAP": self.kafka_bootstrap,
            "BADGES_CONNECT_URL": self.connect_url,
        }

    def start(self, *parts: str) -> None:
        """Start the parts (all without names) that do not run; return when they answer."""
        wanted = parts or PARTS
        try:
            self._parts.start(wanted)
        except Failure as problem:
            raise ServersLost(str(problem)) from problem
        self._started.update(wanted)

    def stop(self, *parts: str) -> None:
        """Stop the parts in good order (all without names)."""
        self._interrupt(parts or PARTS)
        self._parts.stop(parts or PARTS)

    def kill(self, part: str) -> None:
        """End a part with SIGKILL and return when it is gone."""
        self._interrupt([part])
        self._parts.kill(part)
        wait_for(lambda: part not in self.running(), LIMIT_S, f"the end of {part}")

    def _interrupt(self, parts: Sequence[str]) -> None:
        self.disturbed.update(parts)
        self.interruptions += "postgres" in parts

    def pause(self, part: str) -> None:
        """Stop a part in its tracks until `resume`."""
        self.disturbed.add(part)
        self._parts.pause(part)

    def resume(self, part: str) -> None:
        """Let a paused part go on."""
        self._parts.resume(part)

    def running(self) -> list[str]:
        """Return the parts that run, paused ones included."""
        return list(self._parts.states())

    def lost(self) -> list[str]:
        """Return the parts that were started and do not answer, unless the test has stopped one.

        None is said to be lost then: one that waits for another does not answer either.
        """
        if self.disturbed:
            return []
        return [part for part in sorted(self._started) if not self.infra.is_ready(part)]

    def repair(self, parts: Sequence[str]) -> None:
        """Let go on what is paused of the parts, and start what is dead."""
        states = self._parts.states()
        for part in parts:
            if states.get(part) == PAUSED:
                self.resume(part)
        dead = [part for part in parts if part not in states]
        self.interruptions += "postgres" in dead
        if dead:
            self.start(*dead)

    def restart(self, part: str) -> None:
        """Stop a part in good order and start it again; return when it answers."""
        self.stop(part)
        self.start(part)

    def process(self, part: str) -> psutil.Process:
        """Return the process of a part that runs here, to do anything to; a container has none."""
        self.disturbed.add(part)
        process = self.infra.process(part)
        assert process is not None, f"{part} does not run"
        return process

    def create_database(self) -> str:
        """Make an empty database and return its owner's URL."""
        name = f"test_{next(self._numbers)}"
        asyncio.run(when_free(lambda: self._execute(f"CREATE DATABASE {name}")))
        return self.database_url.rpartition("/")[0] + f"/{name}"

    def drop_database(self, url: str) -> None:
        """Drop a database made by `create_database`, connections to it included."""
        statement = f"DROP DATABASE {url.rpartition('/')[2]} WITH (FORCE)"
        # Postgres waits five seconds for those whom it ends, and they may have no time.
        asyncio.run(when_free(lambda: self._execute(statement)))

    async def _execute(self, statement: str) -> None:
        connection = await asyncpg.connect(self.database_url)
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


async def when_free(act: Callable[[], Awaitable[object]]) -> None:
    """Do something as soon as nobody in Postgres uses any more what it is done to."""
    async with asyncio.timeout(LIMIT_S):
        while True:
            with suppress(asyncpg.ObjectInUseError):
                await act()
                return
            await asyncio.sleep(0.1)


def wait_for(condition: Callable[[], bool], seconds: float, what: str = "the condition") -> None:
    """Wait until the condition holds; fail when it does not within that many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds:g} s"
        time.sleep(0.02)


@contextmanager
def running_postgres(*, in_containers: bool | None = None) -> Iterator[Stack]:
    """Start Postgres alone in a new folder; everything ends, and the folder goes, at the exit.

    The other parts can be started later with `Stack.start()`. Unless `in_containers` is given,
    STACK says what they are.
    """
    if in_containers is None:
        in_containers = docker.asked_for()
    run_dir = Path(tempfile.mkdtemp(prefix="badges-test-"))
    run_dir.chmod(0o755)
    layout = Layout(run_dir, free_port_base())
    layout.make("docker" if in_containers else "local")
    infra = Infra(layout, secrets.ensure(run_dir))
    parts: Parts = Containers(infra) if in_containers else Processes(infra)
    stack = Stack(infra, parts)
    with guarded(run_dir):
        try:
            stack.start("postgres")
            yield stack
        finally:
            parts.remove()
            shutil.rmtree(run_dir, ignore_errors=True)


@contextmanager
def guarded(run_dir: Path) -> Iterator[None]:
    """Have a process by that ends the stack in `run_dir` should this one die, even by SIGKILL."""
    guard = subprocess.Popen(
        [sys.executable, "-m", "tests.guard", str(run_dir)],
        stdin=subprocess.PIPE,
        cwd=ROOT,
        start_new_session=True,
    )
    assert guard.stdin is not None
    try:
        yield
    finally:
        guard.stdin.close()
        guard.wait(LIMIT_S)


def free_port_base() -> int:
    """Return a port base whose ports are all free now.

    Test processes side by side (pytest-xdist names them gw0, gw1, ...) choose from different ones.
    """
    mine = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    while True:
        # Twice as many, for each may die once, and the one that replaces it has the next number.
        base = random.randrange(LOWEST + 10 * mine, HIGHEST, 20 * processes)
        if all(_is_free(base + place) for place in range(len(PORTS))):
            return base


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True
