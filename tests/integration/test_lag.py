"""How far behind the awards are: what `badges lag`, GET /v1/lag and as_of say of the whole path."""

import asyncio
import fcntl
import json
import os
import pty
import re
import signal
import struct
import sys
import termios
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any
from uuid import UUID

import httpx

from streams.lag.backlog import backlog
from tests.integration.commands import Command
from tests.integration.pipeline import PARTITIONS, Pipeline, Rig, count_of, partition_of
from tests.integration.serving import served
from tests.stack import LIMIT_S, free_port_base

ROWS = 7
OK = ["ok", "ok", "ok", "ok"]
CONNECT, KAFKA = 1, 2
"""The places of stages."""


def anything(_: str) -> bool:
    return True


async def lag(
    p: Pipeline, code: int, such: Callable[[Any], bool] = anything, **settings: str
) -> Any:
    """What `badges lag --once --json` prints when it ends with this exit code and is such."""

    def is_such(out: str) -> bool:
        return such(json.loads(out))

    return json.loads(await printed(p, code, "--json", such=is_such, **settings))


def alone(stage: int) -> Callable[[Any], bool]:
    """Whether that stage alone does not answer, and Kafka's tells how many rows wait."""

    def is_alone(answer: Any) -> bool:
        silent = [n for n, state in enumerate(states(answer)) if state == "unreachable"]
        # It is said to be behind where Postgres had no time for the question.
        return silent == [stage] and states(answer)[KAFKA] != "behind"

    return is_alone


async def printed(
    p: Pipeline, code: int, *arguments: str, such: Callable[[str], bool] = anything, **settings: str
) -> str:
    """What `badges lag --once` prints when it ends with this exit code and is such.

    It gives nobody more than some seconds, and on a busy machine that may not be enough.
    """

    async def said() -> str | None:
        command = await Command(p, "lag", "--once", *arguments, **settings).start()
        ended, out, _ = await command.end()
        return out if ended == code and such(out) else None

    found: str = await p.until(said, what=f"that badges lag ends with {code}")
    return found


def states(answer: Any) -> list[str]:
    """The state of each stage, from the slot to the worker."""
    assert [each["name"] for each in answer["stages"]] == ["slot", "connector", "kafka", "worker"]
    return [each["state"] for each in answer["stages"]]


async def later(p: Pipeline, instant: datetime) -> bool:
    """Whether everything up to some instant is decided, as readers of awards are told."""
    found = await p.pool.fetchval("SELECT badges_private.as_of()")
    return found is not None and found > instant


async def now(p: Pipeline) -> datetime:
    """What Postgres' clock says."""
    found: datetime = await p.pool.fetchval("SELECT clock_timestamp()")
    return found


async def write(p: Pipeline, mentor: UUID, rows: int) -> None:
    """Insert activities of one mentor."""
    await p.pool.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "SELECT gen_random_uuid(), $1, 'visit', '2026-01-01' FROM generate_series(1, $2)",
        mentor,
        rows,
    )


def test_as_of_follows_the_clock_while_nothing_happens(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.come_to_rest()
        for _ in range(2):
            await p.until(partial(later, p, await now(p)), what="an as_of after now")

    working.run(test)


def test_what_has_caught_up_is_0_behind_for_command_and_api_alike(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.come_to_rest()
        await p.until(partial(later, p, await now(p)), what="an as_of after now")

        def is_whole(found: Any) -> bool:
            shares = [each["partitions"] for each in found["workers"]]
            return found["alerts"] == [] and shares == [[*range(PARTITIONS)]]

        answer = await lag(p, 0, is_whole)
        same: dict[str, Any] = {}
        with served(p) as address:
            async with httpx.AsyncClient(timeout=LIMIT_S) as client:

                async def api_says_so() -> bool:
                    same.update((await client.get(f"{address}/v1/lag")).json())
                    return same["on_time"] is True and is_whole(same)

                await p.until(api_says_so, what="that the API says so")
        for each in (answer, same):
            assert each["on_time"] is True
            assert (each["behind_seconds"], each["behind_records"]) == (0, 0)
            assert states(each) == OK
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT[\d:.]+Z", each["as_of"])
            assert each["generation"] == {"number": p.log.number, "state": "live"}
            assert each["backfill"] is None
            assert each["alerts"] == []
            (worker,) = each["workers"]
            assert worker["partitions"] == [*range(PARTITIONS)]
            numbers = [partition["partition"] for partition in each["partitions"]]
            assert numbers == [*range(PARTITIONS)]
            for partition in each["partitions"]:
                assert partition["next_offset"] == partition["end_offset"]
                assert partition["behind_seconds"] == 0
        assert answer.keys() == same.keys()

    working.run(test)


def test_rows_that_nobody_decides_are_as_far_behind_as_the_oldest_is_old(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        worker = p.worker()
        await p.at_work(worker)
        await p.come_to_rest()
        worker.end()
        before = await now(p)
        await write(p, mentor, 1)
        after = await now(p)
        await write(p, mentor, ROWS - 1)
        await p.until(partial(is_behind, p, ROWS), what="the rows in Kafka")

        await lag(p, 1, lambda each: states(each)[3] == "stopped")
        asked = await now(p)
        # Where heartbeats are late the oldest that may be undecided is older than these rows.
        answer = await lag(p, 1, lambda each: states(each)[:3] == ["ok"] * 3)
        answered = await now(p)
        least = (asked - after).total_seconds()
        most = (answered - before).total_seconds()
        assert least <= answer["behind_seconds"] <= most + 0.001
        assert answer["behind_records"] == ROWS
        assert answer["on_time"] is False
        assert states(answer)[3] == "stopped"
        assert answer["workers"] == []
        number = partition_of(mentor, PARTITIONS)
        behind = {each["partition"]: each["behind_records"] for each in answer["partitions"]}
        assert behind == {each: ROWS if each == number else 0 for each in range(PARTITIONS)}
        assert not await later(p, after)

        await p.at_work(worker)
        await p.settle()
        await p.until(partial(later, p, after), what="an as_of after the rows")

    async def is_behind(p: Pipeline, records: int) -> bool:
        found = await backlog(p.log, p.pool, p.site.cluster)
        # A worker that has ended is connected until Postgres notices.
        return found.sessions == 0 and sum(found.behind.values()) == records

    unmanned.run(test)


def test_rows_that_never_reach_kafka_are_behind_at_the_slot(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        await p.settle()
        decided = await now(p)
        await p.until(partial(later, p, decided), what="an as_of after now")
        await p.site.connect.stop(p.log.connector)
        before = await now(p)
        await write(p, mentor, ROWS)
        await p.until(partial(older, p, before), what="rows that are some seconds old")
        held_up = ["behind", "stopped", "ok", "behind"]
        answer = await lag(p, 1, lambda each: states(each) == held_up)
        answered = await now(p)
        slot, connector, *_ = answer["stages"]
        assert slot["behind_bytes"] > 0
        # No less than how old they are, and no more than what was decided before them.
        assert answer["behind_seconds"] > 6
        assert answer["behind_seconds"] < (answered - decided).total_seconds()
        assert connector["message"]

        await p.site.connect.resume(p.log.connector)
        await p.settle()
        await p.until(partial(later, p, answered), what="an as_of after that")
        assert states(await lag(p, 0)) == OK

    async def older(p: Pipeline, instant: datetime) -> bool:
        return (await now(p) - instant).total_seconds() > 6

    working.run(test)


def test_who_does_not_answer_is_named(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.come_to_rest()
        nobody = f"127.0.0.1:{free_port_base()}"
        answer = await lag(p, 2, alone(KAFKA), BADGES_KAFKA_BOOTSTRAP=nobody)
        assert states(answer)[2] == "unreachable"
        assert answer["behind_records"] is None
        # At most that, by what is known to be decided.
        assert answer["behind_seconds"] is not None
        answer = await lag(p, 2, alone(CONNECT), BADGES_CONNECT_URL=f"http://{nobody}")
        assert states(answer)[1] == "unreachable"
        assert answer["behind_records"] == 0
        answer = await lag(p, 2, BADGES_DATABASE_URL=f"postgresql://postgres@{nobody}/postgres")
        assert states(answer)[0] == "unreachable"
        assert nobody in answer["stages"][0]["message"]
        assert "BADGES_DATABASE_URL" in answer["stages"][0]["message"]
        assert (answer["behind_seconds"], answer["generation"]) == (None, None)

    working.run(test)


def test_rules_that_are_not_taken_up_yet_are_told(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, _ = await p.newcomer()
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        worker.end()
        await p.badge(organization, count_of(1))
        backfill = (await lag(p, 1))["backfill"]
        assert backfill == {
            "definitions": 1,
            "partitions_done": 0,
            "partitions": PARTITIONS,
            "seconds_left": None,
        }
        await p.at_work(worker)
        await p.settle()
        assert (await lag(p, 0))["backfill"] is None

    unmanned.run(test)


def test_people_are_told_the_same_in_words(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.come_to_rest()
        await p.until(partial(later, p, await now(p)), what="an as_of after now")
        out = await printed(p, 0)
        assert out.startswith("On time: 0.0 s behind, 0 records to decide.")
        assert "Decided is everything up to" in out

    working.run(test)


async def line_of(process: asyncio.subprocess.Process) -> str:
    """The next line that a command prints."""
    assert process.stdout is not None
    async with asyncio.timeout(LIMIT_S):
        line = await process.stdout.readline()
    assert line, "the command has ended"
    return line.decode()


async def begun(p: Pipeline, *arguments: str, out: int) -> asyncio.subprocess.Process:
    """`badges lag` with its output there, on a terminal that has no say in its settings."""
    environment = {
        **os.environ,
        **p.stack.environment(p.owner_url),
        "BADGES_PREFIX": p.site.prefix,
        "TERM": "xterm",
    }
    line = [sys.executable, "-m", "tests.own_site_command", "lag", *arguments]
    return await asyncio.create_subprocess_exec(*line, env=environment, stdin=out, stdout=out)


async def interrupted(process: asyncio.subprocess.Process) -> int:
    """Press Ctrl-C; the exit code."""
    process.send_signal(signal.SIGINT)
    async with asyncio.timeout(LIMIT_S):
        return await process.wait()


def test_without_a_terminal_each_measurement_is_a_line_until_ctrl_c(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.come_to_rest()
        for arguments in ((), ("--plain",)):
            process = await begun(p, *arguments, out=asyncio.subprocess.PIPE)
            for _ in range(2):
                # On a busy machine a part may not answer in time, and it says so first.
                while " on time; " not in (line := await line_of(process)):
                    assert "\x1b" not in line
                assert "\x1b" not in line
            assert await interrupted(process) == 130
        process = await begun(p, "--json", out=asyncio.subprocess.PIPE)
        while not (generation := json.loads(await line_of(process))["generation"]):
            pass
        assert generation["state"] == "live"
        assert await interrupted(process) == 130

    working.run(test)


class Terminal:
    """A pseudo-terminal, and everything that was written to it."""

    def __init__(self) -> None:
        self._mine, self.theirs = pty.openpty()
        self.said = b""
        asyncio.get_running_loop().add_reader(self._mine, self._read)

    def resize(self, rows: int, columns: int) -> None:
        size = struct.pack("HHHH", rows, columns, 0, 0)
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, size)

    async def shows(self, *words: bytes) -> bool:
        return all(word in self.said for word in words)

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self._mine)
        os.close(self._mine)
        os.close(self.theirs)

    def _read(self) -> None:
        self.said += os.read(self._mine, 65536)


def test_on_a_terminal_it_is_shown_anew_and_the_last_stays(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.come_to_rest()
        terminal = Terminal()
        terminal.resize(24, 80)
        process = await begun(p, out=terminal.theirs)
        whole = (b"seconds behind, up to", b"connector", b"Decided is everything")
        await p.until(partial(terminal.shows, *whole), what="a measurement")
        assert b"\x1b[?1049h" in terminal.said  # a screen of its own

        terminal.said = b""
        terminal.resize(10, 30)
        process.send_signal(signal.SIGWINCH)
        await p.until(partial(terminal.shows, b"connector"), what="another one")

        terminal.said = b""
        assert await interrupted(process) == 130
        await p.until(partial(terminal.shows, b"\x1b[?1049l"), what="the end of its screen")
        await p.until(partial(terminal.shows, b"Decided is"), what="the last measurement")
        assert b"Traceback" not in terminal.said
        terminal.close()

    working.run(test)
