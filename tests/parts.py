"""The parts of a stack in the hands of tests: processes of this machine, or containers."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Protocol

import psutil
from testcontainers.compose import DockerCompose

from badges.stack import docker, postgres, processes
from badges.stack.infra import PARTS, PATIENCE, Infra
from streams.errors import FOUND_A_PROBLEM, Failure

RUNNING, PAUSED = "running", "paused"
STOP_SECONDS = 30
WATCHING = ("prometheus", "grafana")
"""Services of the profile monitoring; to name them is to turn it on."""


def freeze(process: psutil.Process) -> None:
    """Stop a process in its tracks, and return when no thread of it runs any more.

    SIGSTOP waits for a processor like anybody else, and other threads go on until then.
    """
    process.suspend()
    stopped = {psutil.STATUS_STOPPED}
    if not processes.comes_true(lambda: _states(process) == stopped, PATIENCE):
        states = _states(process)
        process.resume()
        raise AssertionError(f"{process} still runs {PATIENCE:g} s after SIGSTOP: {states}")


def _states(process: psutil.Process) -> set[str]:
    """The states of its threads where the system tells them, else its own."""
    if not psutil.LINUX:
        return {process.status()}
    found: set[str] = set()
    for thread in process.threads():
        with suppress(psutil.NoSuchProcess):
            found.add(psutil.Process(thread.id).status())
    return found


class Parts(Protocol):
    """What can be done to the parts named postgres, kafka and connect."""

    def start(self, parts: Sequence[str]) -> None:
        """Start those of the parts that do not run, and nothing else; return when they answer."""

    def stop(self, parts: Sequence[str]) -> None:
        """Stop those of the parts that run, paused ones included, in good order."""

    def kill(self, part: str) -> None:
        """End a part with SIGKILL; it stays dead until it is started."""

    def pause(self, part: str) -> None:
        """Stop a part in its tracks until `resume`."""

    def resume(self, part: str) -> None:
        """Let a paused part go on."""

    def states(self) -> dict[str, str]:
        """Return those that are alive, each with RUNNING or PAUSED."""

    def remove(self) -> None:
        """End all parts and delete their data."""


class Processes:
    """The parts as processes of this machine."""

    def __init__(self, infra: Infra) -> None:
        self._infra = infra

    def start(self, parts: Sequence[str]) -> None:
        self._infra.start(parts)

    def stop(self, parts: Sequence[str]) -> None:
        self._infra.stop(parts)

    def kill(self, part: str) -> None:
        process = self._process(part)
        children = process.children(recursive=True)
        processes.stop(process, sign=signal.SIGKILL)
        # Backends of Postgres see by themselves that it is gone, and another waits for that.
        gone = processes.comes_true(lambda: not any(map(processes.is_running, children)), PATIENCE)
        assert gone, f"{part} was killed, and of {children} some are still there"

    def pause(self, part: str) -> None:
        freeze(self._process(part))

    def resume(self, part: str) -> None:
        self._process(part).resume()

    def states(self) -> dict[str, str]:
        found = {}
        for part in PARTS:
            process = self._infra.process(part)
            if process is not None:
                with suppress(psutil.NoSuchProcess):
                    stopped = process.status() == psutil.STATUS_STOPPED
                    found[part] = PAUSED if stopped else RUNNING
        return found

    def remove(self) -> None:
        self._infra.stop()
        postgres.remove(self._infra.layout)

    def _process(self, part: str) -> psutil.Process:
        process = self._infra.process(part)
        assert process is not None, f"{part} does not run"
        return process


class Containers:
    """The parts as services of docker-compose.yml, in a compose project of this stack's own.

    What is killed or stopped stays so: Docker notes that it was told to end the container, and
    `restart: unless-stopped` then starts it no more.
    """

    def __init__(self, infra: Infra) -> None:
        self.layout = infra.layout
        variables = docker.write_variables(infra.layout, infra.passwords)
        self._compose = DockerCompose(
            docker.COMPOSE_FILE.parent, docker.COMPOSE_FILE.name, env_file=str(variables)
        )
        # Compose believes the shell before the file, and a shell may have another stack's values.
        hidden = docker.variables(infra.layout, infra.passwords)
        self._compose.compose_command_property = [
            "env",
            *(part for name in hidden for part in ("-u", name)),
            *self._compose.docker_compose_command(),
            *("--project-name", docker.project(infra.layout)),
        ]

    def start(self, parts: Sequence[str]) -> None:
        limit = f"--wait-timeout={PATIENCE:.0f}"
        for part in PARTS:  # one by one: Connect ends when it cannot find the broker's name
            if part in parts:
                self._run("up", "--wait", limit, "--no-deps", "--no-recreate", part)

    def stop(self, parts: Sequence[str]) -> None:
        self._run("stop", f"--timeout={STOP_SECONDS}", *parts)

    def kill(self, part: str) -> None:
        self._run("kill", part)

    def pause(self, part: str) -> None:
        self._run("pause", part)

    def resume(self, part: str) -> None:
        self._run("unpause", part)

    def states(self) -> dict[str, str]:
        found = self._compose.get_containers(include_all=True)
        return {
            container.Service: container.State
            for container in found
            if container.Service in PARTS and container.State in {RUNNING, PAUSED}
        }

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Have Prometheus and Grafana beside the parts during the block."""
        limit = f"--wait-timeout={PATIENCE:.0f}"
        try:
            self._run("up", "--wait", limit, "--no-deps", "--no-recreate", *WATCHING)
            yield
        finally:
            self._run("rm", "--force", "--stop", "--volumes", *WATCHING)

    def remove(self) -> None:
        self._compose.stop()

    def _run(self, *arguments: str) -> None:
        done = subprocess.run(
            [*self._compose.docker_compose_command(), *arguments],
            cwd=self._compose.context,
            check=False,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            said = done.stderr.strip()[-1000:]
            raise Failure(f"docker compose {arguments[0]} failed: {said}", code=FOUND_A_PROBLEM)
