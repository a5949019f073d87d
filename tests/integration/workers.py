"""Worker processes of a test: real ones, to be killed, paused and asked to end."""

import json
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import psutil

from badges.stack import processes
from tests.parts import freeze
from tests.stack import LIMIT_S, Stack, wait_for

SESSION_SECONDS = 6
"""The shortest session that Kafka grants: how long a dead worker keeps its partitions."""

LONG_SESSION = {"BADGES_SESSION_TIMEOUT": "30"}
"""For who counts rebalances: on a busy machine a worker may get no processor for some seconds."""

_numbers = count(1)


class Worker:
    """One `badges worker`, which keeps its log file over restarts."""

    def __init__(self, stack: Stack, environment: Mapping[str, str]) -> None:
        self.name = f"test-worker-{next(_numbers)}"
        self._stack = stack
        self.environment = environment
        self._process: psutil.Process | None = None
        self._log_start = 0
        self.module = "badges.cli.main"
        """What is run: another module may do something to the process before it is a worker."""
        self.wanted = False
        """Whether it was started, and neither killed nor asked to end."""

    @property
    def process(self) -> psutil.Process:
        """Its process, alive or dead. Fails when it was never started."""
        assert self._process is not None, f"{self.name} was not started"
        return self._process

    @property
    def runs(self) -> bool:
        """Whether the process is alive, paused or not."""
        return self._process is not None and processes.is_running(self._process)

    @property
    def exit_code(self) -> int | None:
        """What the process ended with; None while it runs."""
        return processes._children[self.process.pid].poll()

    def start(self) -> None:
        """Start the process; what it needs may be away."""
        assert not self.runs
        self.wanted = True
        self._log_start = self.log_file.stat().st_size if self.log_file.exists() else 0
        line = [sys.executable, "-m", self.module, "worker"]
        command = processes.Command(self.name, line, environment=self.environment)
        self._process = processes.spawn(self._stack.infra.layout, command)

    def kill(self) -> None:
        """End it with SIGKILL and return when it is gone."""
        self.wanted = False
        self.process.kill()
        wait_for(lambda: not self.runs, LIMIT_S, f"the end of {self.name}")

    def pause(self) -> None:
        """Stop it in its tracks until `resume`."""
        freeze(self.process)

    def resume(self) -> None:
        """Let it go on."""
        self.process.resume()

    def ask_to_end(self, seconds: float = LIMIT_S) -> int | None:
        """Send SIGTERM; the exit code. Fails when it takes longer than `seconds`."""
        self.wanted = False
        self.process.terminate()
        return self.process.wait(seconds)

    def end(self) -> None:
        """End it whatever state it is in; nothing happens if it does not run."""
        self.wanted = False
        if self.runs:
            self.kill()

    @property
    def log_file(self) -> Path:
        """Where its output goes."""
        return self._stack.infra.layout.log_file(self.name)

    def lines(self) -> Iterator[dict[str, Any]]:
        """What it has logged since its last start; what is no event comes as {"text": ...}."""
        if not self.log_file.exists():
            return
        for line in self.log_file.read_bytes()[self._log_start :].splitlines():
            try:
                event = json.loads(line)
            except ValueError:
                event = None
            yield event if isinstance(event, dict) else {"text": line.decode(errors="replace")}

    def said(self, event: str) -> list[dict[str, Any]]:
        """The events of one name that it has logged since its last start."""
        return [line for line in self.lines() if line.get("event") == event]

    def failure(self) -> str:
        """The one line in which it says why it ended; its libraries' threads may say more later."""
        (line,) = [each["text"] for each in self.lines() if "badges: " in each.get("text", "")]
        return str(line)

    def peak_memory(self) -> int:
        """The most memory that the process has had so far, in bytes (Linux), else what it has."""
        status = Path(f"/proc/{self.process.pid}/status")
        if status.exists():
            for line in status.read_text(encoding="ascii").splitlines():
                if line.startswith("VmHWM:"):
                    return int(line.split()[1]) * 1024
        return int(self.process.memory_info().rss)
