"""What make up and make down do: the whole stack in order, and its end whatever became of it."""

import contextlib
import fcntl
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import psutil

from badges.stack import layout as layouts
from badges.stack import postgres, processes, secrets, services
from badges.stack.addresses import SERVICES
from badges.stack.infra import PARTS, PATIENCE, Infra, stop_part
from badges.stack.layout import Layout
from streams.errors import FOUND_A_PROBLEM, Failure

ROOM = 500_000_000
"""Bytes that must be free on the disk before anything is started."""

_EVERYTHING = (*PARTS, "supervisor", *SERVICES)
_STOP_ORDER = (
    "supervisor",
    "api",
    "worker",
    "provision",
    "migrate",
    "connect",
    "kafka",
    "postgres",
)


def up(layout: Layout, tell: Callable[[str], None], *, only_infra: bool = False) -> None:
    """Start what does not run and return when all is ready; what runs already is left alone.

    Raises Failure with one clear line when a part cannot be started.
    """
    _refuse_other_ports(layout)
    prefix, needed = services.prefix(), PARTS if only_infra else (*PARTS, "api")
    # Before anything is written, so that a port that is somebody else's leaves nothing behind.
    Infra(layout, {}, prefix).require_ports(needed)
    layout.make()
    with _alone(layout):
        _require_room(layout)
        infra = Infra(layout, secrets.ensure(layout.run_dir), prefix)
        began = time.monotonic()
        where = "" if only_infra else f", dashboard at {layout.dashboard_url}"
        if _all_ready(infra, PARTS if only_infra else _EVERYTHING):
            tell(f"already up{where}; make down stops it")
        else:
            _start(infra, tell, only_infra=only_infra)
            tell(f"up after {time.monotonic() - began:.0f} s{where}; stop it with make down")
    waits = None if only_infra else services.what_waits(layout, infra.passwords)
    if waits:
        tell(waits)


def down(layout: Layout, tell: Callable[[str], None]) -> None:
    """Stop every process of this stack, found by its mark, and nothing else."""
    _stop_launcher(layout, tell)
    deadline = time.monotonic() + 120
    stopped: list[psutil.Process] = []
    while found := processes.find_all(layout):
        if time.monotonic() > deadline:
            left = ", ".join(f"{name} ({pid})" for pid, (name, _) in found.items())
            raise Failure(f"these processes do not end: {left}", code=FOUND_A_PROBLEM)
        for name, process in _in_order(found):
            stop_part(name, process)
            stopped.append(process)
    psutil.wait_procs(stopped, timeout=2)
    for file in layout.run_dir.glob("*.pid"):
        file.unlink()
    tell(f"stopped {len(stopped)} processes" if stopped else "nothing was running")


def clean(layout: Layout, tell: Callable[[str], None]) -> None:
    """Stop the stack and delete its data, logs and passwords."""
    down(layout, tell)
    postgres.remove(layout)
    shutil.rmtree(layout.run_dir, ignore_errors=True)
    tell(f"removed {layout.run_dir}")


def _all_ready(infra: Infra, names: Sequence[str]) -> bool:
    if not all(infra.process(name) for name in names):
        return False
    return all(infra.is_ready(name) for name in PARTS) and (
        "api" not in names or services.is_ready(infra.layout)
    )


def _start(infra: Infra, tell: Callable[[str], None], *, only_infra: bool) -> None:
    if only_infra:
        infra.start(tell=tell)
        return
    infra.start(with_database=lambda: services.run(infra, "migrate"), tell=tell)
    services.run(infra, "provision")
    supervisor = infra.process("supervisor") or services.start_supervisor(infra.layout)
    processes.wait_until_ready(
        infra.layout,
        "api",
        supervisor,
        lambda: infra.process("worker") is not None and services.is_ready(infra.layout),
        PATIENCE,
    )


def _in_order(
    found: dict[int, tuple[str, psutil.Process]],
) -> list[tuple[str, psutil.Process]]:
    """Return the processes in the order to stop them; a server's own children end with it."""
    roots = [
        (name, process)
        for name, process in found.values()
        if found.get(_parent(process), ("", None))[0] != name
    ]
    return sorted(roots, key=lambda one: _STOP_ORDER.index(one[0]) if one[0] in _STOP_ORDER else -1)


def _parent(process: psutil.Process) -> int:
    try:
        return process.ppid()
    except psutil.NoSuchProcess:
        return 0


def _refuse_other_ports(layout: Layout) -> None:
    before = layouts.noted(layout.run_dir)
    if before is None or before.port_base == layout.port_base:
        return
    if processes.find_all(layout):
        raise Failure(
            f"a stack with BADGES_PORT_BASE={before.port_base} runs in {layout.run_dir}",
            hint="Stop it with make down, or give the second one a folder of its own with "
            "BADGES_RUN_DIR",
        )


def _require_room(layout: Layout) -> None:
    free = shutil.disk_usage(layout.run_dir).free
    if free < ROOM:
        raise Failure(
            f"the disk of {layout.run_dir} is full: {free // 1_000_000} MB are free, "
            f"{ROOM // 1_000_000} MB are needed"
        )


@contextmanager
def _alone(layout: Layout) -> Iterator[None]:
    """Hold the stack's lock; the system lets go of it however this process ends."""
    with layout.lock.open("a+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            raise Failure(
                f"another make up works on {layout.run_dir} (process {file.read().strip()})"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
        file.truncate(0)


def _stop_launcher(layout: Layout, tell: Callable[[str], None]) -> None:
    """End a make up that still works on this stack: whoever says down means it."""
    if not layout.lock.exists():
        return
    with layout.lock.open("r+", encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            launcher = int(file.read().strip() or 0)
            if launcher:
                tell(f"ending the make up that still works here (process {launcher})")
                with contextlib.suppress(ProcessLookupError):
                    os.kill(launcher, signal.SIGTERM)
                    # A process that Ctrl-Z has stopped takes the signal only once it goes on.
                    os.kill(launcher, signal.SIGCONT)
            fcntl.flock(file, fcntl.LOCK_EX)
