"""Processes of a stack: started into their own session, known again by a mark, stopped by id.

Every process carries a mark in its environment, the run directory and its name. An id from a file
is only believed when the process with that id carries the mark, so an id that the system gave to
somebody else meanwhile is never signalled; and a process whose id never reached its file, because
the launcher was killed at that moment, is still found.
"""

import contextlib
import errno
import os
import pwd
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from badges.stack import secrets
from badges.stack.layout import HOST, Layout
from streams.errors import Failure

MARK = "BADGES_STACK_PART"
_children: dict[int, subprocess.Popen[bytes]] = {}
"""Processes that this one started: they must be collected when they end."""

_LOG_LIMIT = 20_000_000
"""Bytes after which a log file is set aside at the next start; one older file is kept."""


@dataclass(frozen=True)
class Command:
    """How to start one process. `user` is a system user's id, for root to give its rights away."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    user: int | None = None


def spawn(layout: Layout, command: Command) -> psutil.Process:
    """Start a process in a session of its own, its output to its log file, its id to its file."""
    log = layout.log_file(command.name)
    try:
        with contextlib.suppress(FileNotFoundError):
            if log.stat().st_size > _LOG_LIMIT:
                log.replace(log.with_suffix(".log.old"))
        with log.open("ab") as output:
            child = subprocess.Popen(
                list(command.arguments),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd="/" if command.user is not None else None,
                env={**surroundings(), **command.environment, MARK: mark(layout, command.name)},
                **_rights(command.user),  # type: ignore[call-overload]
            )
    except OSError as error:
        raise Failure(f"cannot start {command.name}: {error.strerror}: {error.filename}") from None
    _children[child.pid] = child
    try:
        _write_whole(layout.pid_file(command.name), f"{child.pid}\n")
    except OSError:
        # Nobody would find it by its name, and the supervisor would start a second one beside it.
        child.kill()
        child.wait()
        raise
    return psutil.Process(child.pid)


def complete(layout: Layout, command: Command, failure: str) -> None:
    """Run a program to its end. Raises Failure with `failure` and the program's own words."""
    done = subprocess.run(
        list(command.arguments),
        capture_output=True,
        text=True,
        check=False,
        cwd="/" if command.user is not None else None,
        env={**surroundings(), **command.environment},
        **_rights(command.user),  # type: ignore[call-overload]
    )
    if done.returncode:
        log = layout.log_file(command.name)
        log.write_text(done.stdout + done.stderr, encoding="utf-8")
        raise Failure(f"{failure}: {log_tail(log)}")


def surroundings() -> dict[str, str]:
    """Return this process's environment without what is secret, of this stack or another.

    A shell may hold all of it (`eval "$(badges env)"`); each process is given what is its own.
    """
    hidden = {*secrets.NAMES, "BADGES_DATABASE_URL"}
    return {name: value for name, value in os.environ.items() if name not in hidden}


def mark(layout: Layout, name: str) -> str:
    return f"{layout.run_dir}:{name}"


def find(layout: Layout, name: str) -> psutil.Process | None:
    try:
        process = psutil.Process(int(layout.pid_file(name).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, psutil.NoSuchProcess):
        return None
    marked = _mark_of(process) == mark(layout, name)
    return process if marked and is_running(process) else None


def find_all(layout: Layout) -> dict[int, tuple[str, psutil.Process]]:
    """Return every running process that carries this stack's mark: id to name and process."""
    found = {}
    for process in psutil.process_iter():
        run_dir, _, name = _mark_of(process).rpartition(":")
        if run_dir == str(layout.run_dir) and is_running(process):
            found[process.pid] = (name, process)
    return found


def is_running(process: psutil.Process) -> bool:
    child = _children.get(process.pid)
    # One that has ended says nothing of who has its id by now.
    if child is not None and child.returncode is None:
        return child.poll() is None
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def stop(process: psutil.Process, *, sign: int = signal.SIGTERM, patience: float = 30) -> None:
    """Ask a process to end, wait `patience` seconds, then end it. A stopped one is woken first."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(sign)
        process.send_signal(signal.SIGCONT)
        if not _ended(process, patience):
            process.kill()
            _ended(process, 10)


def wait_until_ready(
    layout: Layout, name: str, process: psutil.Process, ready: Callable[[], bool], patience: float
) -> None:
    """Wait until a process answers. Raises Failure naming its log if it ends or takes too long."""
    log = layout.log_file(name)

    def is_there() -> bool:
        is_ready = ready()
        if not is_ready and not is_running(process):
            raise Failure(f"{name} ended while starting: {log_tail(log)}")
        return is_ready

    if not comes_true(is_there, patience):
        raise Failure(f"{name} was not ready after {patience:.0f} s: {log_tail(log)}")


def comes_true(look: Callable[[], bool], within: float) -> bool:
    """Whether something is so within that many seconds; it is looked at again and again."""
    deadline = time.monotonic() + within
    while not (is_so := look()) and time.monotonic() <= deadline:
        time.sleep(0.1)
    return is_so


def log_tail(log: Path, lines: int = 5) -> str:
    """Return the log's name and its last lines, as the end of an error."""
    try:
        text = log.read_bytes()[-4000:].decode("utf-8", "replace")
    except OSError:
        return f"see {log}"
    last = [line for line in text.splitlines() if line.strip()][-lines:]
    return "\n  ".join([f"the end of {log} says", *last]) if last else f"see {log} (it is empty)"


def require_free_port(name: str, port: int) -> None:
    """Raise Failure when something listens on the port, naming it where the system tells."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise Failure(
                f"port {port} (for {name}) is in use{_listener(port)}",
                hint="Stop that, or set BADGES_PORT_BASE to another number",
            ) from None


def listens(port: int) -> bool:
    try:
        socket.create_connection((HOST, port), timeout=1).close()
    except OSError:
        return False
    return True


def answers(url: str) -> bool:
    """Whether a GET is answered with 200."""
    try:
        return httpx.get(url, timeout=3).status_code == 200
    except httpx.HTTPError:
        return False


def _listener(port: int) -> str:
    try:
        for one in psutil.net_connections(kind="tcp"):
            if one.status == psutil.CONN_LISTEN and one.laddr[1:2] == (port,) and one.pid:
                return f" by {psutil.Process(one.pid).name()} (process {one.pid})"
    except psutil.Error:
        return ""
    return ""


def _rights(user: int | None) -> dict[str, object]:
    return {} if user is None else {"user": user, "group": user_group(user), "extra_groups": []}


def user_group(user: int) -> int:
    """Return the first group of a system user, by id."""
    return pwd.getpwuid(user).pw_gid


def _write_whole(path: Path, text: str) -> None:
    draft = path.with_name(path.name + ".tmp")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)


def _mark_of(process: psutil.Process) -> str:
    try:
        return process.environ().get(MARK, "")
    except (psutil.Error, OSError):
        return ""


def _ended(process: psutil.Process, patience: float) -> bool:
    return comes_true(lambda: not is_running(process), patience)
