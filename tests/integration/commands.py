"""Commands of a test's own site as processes, to be waited for or killed."""

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from typing import Any

from tests.integration.pipeline import Pipeline
from tests.stack import LIMIT_S


class Command:
    """One `badges ...` against a pipeline's database, log and prefix."""

    def __init__(self, p: Pipeline, *arguments: str, **settings: str) -> None:
        """`settings` are further environment variables."""
        self._arguments = arguments
        self._environment = {
            **os.environ,
            **p.stack.environment(p.owner_url),
            "BADGES_PREFIX": p.site.prefix,
            "BADGES_PARTITIONS": str(p.site.partitions),
            **settings,
        }
        self._process: Process | None = None

    async def start(self) -> "Command":
        """Start the process."""
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.own_site_command",
            *self._arguments,
            env=self._environment,
            stdout=PIPE,
            stderr=PIPE,
        )
        return self

    def interrupt(self) -> None:
        """Press Ctrl-C, of which only this process hears."""
        assert self._process is not None
        self._process.send_signal(signal.SIGINT)

    async def kill(self) -> None:
        """End it with SIGKILL, unless it has ended by itself."""
        assert self._process is not None
        if self._process.returncode is None:
            self._process.kill()
        await self._process.communicate()

    async def end(self) -> tuple[int, str, str]:
        """Wait for its end: exit code, standard output and error.

        One that is told to wait as long as a test says by itself what it has waited for in vain.
        """
        assert self._process is not None
        async with asyncio.timeout(2 * LIMIT_S):
            out, err = await self._process.communicate()
        assert self._process.returncode is not None
        print(f"badges {' '.join(self._arguments)}: {self._process.returncode}\n{err.decode()}")
        return self._process.returncode, out.decode(), err.decode()


async def answer(p: Pipeline, *arguments: str, **settings: str) -> Any:
    """What a command that succeeds prints with --json."""
    command = await Command(p, *arguments, "--json", **settings).start()
    code, out, err = await command.end()
    assert code == 0, out + err
    return json.loads(out)


async def lag(p: Pipeline) -> Any:
    """What `badges lag --once --json` prints once everybody has answered it in time.

    It gives nobody more than some seconds, and on a busy machine that may not be enough.
    """

    async def whole() -> Any:
        command = await Command(p, "lag", "--once", "--json").start()
        code, out, err = await command.end()
        assert code in (0, 1, 2), out + err
        printed = json.loads(out)
        # Kafka's stage is said to be behind when Postgres had no time for its second question.
        cut_short = ("kafka", "behind") in [(s["name"], s["state"]) for s in printed["stages"]]
        return printed if code != 2 and printed["generation"] and not cut_short else None

    return await p.until(whole, what="a lag that everybody tells of")
