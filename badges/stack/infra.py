"""PostgreSQL, Kafka and Connect together: started at once, each waited for, stopped by id."""

import signal
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Thread

import psutil

from badges.stack import addresses, connect, kafka, postgres, processes
from badges.stack.layout import PORTS, Layout
from streams.errors import Failure

PARTS = ("postgres", "kafka", "connect")
PATIENCE = 180.0
"""Seconds that a part may take until it answers, on a slow and busy machine."""


@dataclass(frozen=True)
class Infra:
    """The three servers of one stack. `passwords` is what secrets.ensure returned."""

    layout: Layout
    passwords: dict[str, str]
    prefix: str = "badges"

    def start(
        self,
        parts: Sequence[str] = PARTS,
        *,
        with_database: Callable[[], None] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Start the parts that do not run and return when all answer.

        `with_database` is run as soon as Postgres answers, while the others still start; `tell`
        is given a line for each part that is ready. Raises Failure of the first that fails.
        """
        self.require_ports(parts)
        began = time.monotonic()

        def start(name: str) -> None:
            if self._ensure(name):
                tell(f"{name:<9} ready after {time.monotonic() - began:4.1f} s")
            if name == "postgres" and with_database is not None:
                with_database()

        _together([partial(start, name) for name in parts])

    def require_ports(self, parts: Sequence[str]) -> None:
        """Raise Failure when a port that is needed belongs to somebody else."""
        for name in PORTS:
            owner = "kafka" if name == "controller" else name
            if owner in parts and self.process(owner) is None:
                processes.require_free_port(name, self.layout.port(name))

    def stop(self, parts: Sequence[str] = PARTS) -> None:
        """Stop the parts that run: Connect first, for Postgres waits for its readers."""
        for name in ("connect", "kafka", "postgres"):
            process = self.process(name) if name in parts else None
            if process is not None:
                stop_part(name, process)

    def process(self, name: str) -> psutil.Process | None:
        return processes.find(self.layout, name)

    def is_ready(self, name: str) -> bool:
        if name == "postgres":
            return postgres.is_ready(self.layout, self.passwords["BADGES_OWNER_PASSWORD"])
        return kafka.is_ready(self.layout) if name == "kafka" else connect.is_ready(self.layout)

    def _ensure(self, name: str) -> bool:
        """Start a part unless it runs, and wait until it answers; whether it was started."""
        process = self.process(name)
        fresh = process is None
        if process is None:
            process = processes.spawn(self.layout, self._prepared(name))
        processes.wait_until_ready(
            self.layout, name, process, lambda: self.is_ready(name), PATIENCE
        )
        return fresh

    def _prepared(self, name: str) -> processes.Command:
        layout = self.layout
        if name == "postgres":
            postgres.prepare(layout, self.passwords["BADGES_OWNER_PASSWORD"])
            return postgres.command(layout)
        if name == "kafka":
            kafka.prepare(layout)
            return kafka.command(layout)
        connect.prepare(layout, self.prefix)
        # Until it is there: whether it answers is what Connect itself waits for.
        if not processes.comes_true(lambda: self.process("kafka") is not None, PATIENCE):
            raise Failure("Connect cannot start: Kafka does not run")
        return connect.command(layout, addresses.for_connect(layout, self.passwords))


def _together(tasks: Sequence[Callable[[], None]]) -> None:
    """Run the tasks at once and raise the first one's error when all ended.

    Ctrl-C ends the wait: the threads are daemons, so they do not hold the process back.
    """
    errors: list[BaseException] = []

    def run(task: Callable[[], None]) -> None:
        try:
            task()
        except BaseException as error:
            errors.append(error)

    threads = [Thread(target=run, args=(task,), daemon=True) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def stop_part(name: str, process: psutil.Process) -> None:
    """Stop one server in the way it likes best; Postgres ends its sessions at SIGINT."""
    processes.stop(process, sign=signal.SIGINT if name == "postgres" else signal.SIGTERM)
