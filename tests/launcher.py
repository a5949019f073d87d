"""make up and make down as tests call them: the launcher's command line in a folder of its own."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from badges import settings
from badges.stack import command, processes
from badges.stack.layout import Layout
from tests.stack import LIMIT_S, free_port_base, guarded, wait_for


@dataclass
class Launcher:
    """The launcher's command line, working in a folder and on ports of its own."""

    layout: Layout

    def begin(self, action: str, *options: str, **more: str) -> subprocess.Popen[str]:
        """Start an action (up, down, clean, install); `more` joins its environment."""
        place = {
            "BADGES_RUN_DIR": str(self.layout.run_dir),
            "BADGES_PORT_BASE": str(self.layout.port_base),
            "STACK": "local",
        }
        return subprocess.Popen(
            [sys.executable, "-m", "badges.stack", action, *options],
            env={**os.environ, **place, **more},
            cwd=self.layout.run_dir.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, action: str, *options: str, **more: str) -> tuple[int, str, str]:
        """Run an action to its end; return its exit code, output and errors."""
        process = self.begin(action, *options, **more)
        output, errors = process.communicate(timeout=540)
        return process.returncode, output, errors

    def running(self) -> set[str]:
        """Return the names of the stack's processes that run."""
        return {name for name, _ in processes.find_all(self.layout).values()}


@contextmanager
def launching(folder: Path) -> Iterator[Launcher]:
    """The launcher in a folder; what it starts there is ended with its data at the exit."""
    made = Launcher(Layout(folder, free_port_base()))
    with guarded(folder):
        yield made
        made.run("clean")


def launch(monkeypatch: pytest.MonkeyPatch, action: str) -> int:
    """Run an action in this process, which spares a Python's start; return its exit code."""
    settings.load.cache_clear()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["badges.stack", action])
        code = command.main()
    settings.load.cache_clear()
    return code


def kill(pid: int) -> None:
    """End a process with SIGKILL and return when it is gone."""
    process = psutil.Process(pid)
    process.kill()
    wait_for(lambda: not processes.is_running(process), LIMIT_S, f"the end of process {pid}")
