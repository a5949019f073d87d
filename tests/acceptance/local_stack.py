"""The stack of `make up` as its user has it: people in a database, commands, and the API."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import asyncpg
import httpx

from badges.stack import addresses, secrets
from tests import http
from tests.acceptance import people
from tests.launcher import Launcher, kill, launching
from tests.stack import LIMIT_S, wait_for


@dataclass
class LocalStack:
    """A stack that is up."""

    launcher: Launcher

    @cached_property
    def settings(self) -> dict[str, str]:
        """What `badges env` says."""
        told: dict[str, str] = json.loads(self.badges("env", "--json"))
        return told

    def badges(self, *arguments: str, **environment: str) -> str:
        """Run a command of badges as somebody in the stack's folder would; return its output."""
        code, output = self.run(*arguments, **environment)
        assert code == 0, f"badges {' '.join(arguments)} ended with {code}: {output}"
        return output

    def run(self, *arguments: str, **environment: str) -> tuple[int, str]:
        """Run a command whatever its end; return its exit code and output."""
        done = subprocess.run(
            [sys.executable, "-m", "badges.cli.main", *arguments],
            env={
                **os.environ,
                "BADGES_RUN_DIR": str(self.launcher.layout.run_dir),
                "STACK": "local",
                **environment,
            },
            stdout=subprocess.PIPE,
            check=False,
            text=True,
        )
        return done.returncode, done.stdout

    def kill_worker(self) -> None:
        """End the worker with SIGKILL; the stack starts another by itself."""
        pid_file = self.launcher.layout.pid_file("worker")
        killed = pid_file.read_text()
        kill(int(killed))
        wait_for(lambda: pid_file.read_text() != killed, LIMIT_S, "another worker")

    def client(self, role: str, organization: people.Organization) -> httpx.AsyncClient:
        """Somebody of an organization at the API, with a token of `badges token`."""
        token = self.badges("token", "--role", role, "--organization", organization.slug)
        return http.AsyncPatient(
            base_url=self.settings["BADGES_API_URL"],
            headers={"Authorization": f"Bearer {token.strip()}"},
        )


@contextmanager
def local_stack(folder: Path) -> Iterator[LocalStack]:
    """Bring up the stack on a database that has people in it, as an application's has."""
    with launching(folder) as launcher:
        _up(launcher, "--infra")
        passwords = secrets.load(launcher.layout.run_dir)
        stack = LocalStack(launcher)
        stack.badges("migrate", **addresses.for_command(launcher.layout, passwords, "migrate"))
        asyncio.run(_settle(stack))
        _up(launcher)
        yield stack


def _up(launcher: Launcher, *options: str) -> None:
    code, output, errors = launcher.run("up", *options)
    assert code == 0, output + errors


async def _settle(stack: LocalStack) -> None:
    connection = await asyncpg.connect(stack.settings["BADGES_DATABASE_URL"])
    try:
        await people.settle(connection)
    finally:
        await connection.close()
