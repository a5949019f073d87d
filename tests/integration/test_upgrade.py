"""A database and a log of an earlier version go on with today's, with rows flowing all the time."""

import asyncio
import shutil
import subprocess
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from badges.console.stack.resnapshot import resnapshot
from badges.streams import generations
from badges.streams.generations import Generation
from tests.conftest import BY_DESIGN
from tests.integration import commands
from tests.integration.load import Load, going_on
from tests.integration.operations import Operations
from tests.integration.pipeline import PARTITIONS, Pipeline, connections
from tests.log_site import own_site
from tests.stack import ROOT, Stack

BEFORE = "3efbcc62146c7c306340dd301ef5a3a000a1c865"
"""The version before awards had dates, and a log a fingerprint of what it was filled from."""

PATIENCE = 60.0


@pytest.fixture
def earlier(tmp_path: Path) -> dict[str, str]:
    """Environment variables with which `python -m` runs the version before."""
    git = shutil.which("git")
    known = git and subprocess.run(
        [git, "cat-file", "-e", f"{BEFORE}^{{commit}}"], cwd=ROOT, capture_output=True, check=False
    )
    if not git or not known or known.returncode:
        pytest.skip(f"{BY_DESIGN}this copy comes without the history that has the version before")
    tree, archive = tmp_path / "before", tmp_path / "before.tar"
    subprocess.run([git, "archive", "--output", archive, BEFORE], cwd=ROOT, check=True)
    shutil.unpack_archive(archive, tree)
    shutil.copy(ROOT / "tests" / "own_site_command.py", tree / "tests")
    # Without the second, the directory that the test runs in would come first.
    return {"PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"}


async def log_of(p: Pipeline) -> Generation:
    """The one generation of a log of whatever version."""
    row = await p.pool.fetchrow(
        "SELECT log_id, generation AS number, topic, slot, connector, partitions, "
        "system_identifier, timeline, state FROM badge_logs"
    )
    assert row is not None
    return Generation(**dict(row))


def test_a_database_and_a_log_of_the_version_before_go_on(
    stack: Stack, database_url: str, earlier: dict[str, str]
) -> None:
    async def test(p: Pipeline) -> None:
        await commands.answer(p, "migrate", **earlier)
        made = await commands.answer(p, "provision", **earlier)
        p.log = await log_of(p)
        assert (made["generation"], made["log_id"]) == (1, p.log.log_id)
        old = p.worker(**earlier)
        await p.at_work(old)
        operations = Operations(41, dated=False)
        await Load(p, operations).begin()
        async with going_on(p, operations) as going:
            await going.more(60)

            report = await commands.answer(p, "migrate")
            assert report["applied"]
            await going.more(30)
            await p.next_decision(PATIENCE)
            assert old.runs
            assert old.ask_to_end(30) == 0

            provisioned = await commands.answer(p, "provision")
            assert provisioned["log_id"] == p.log.log_id
            wanted = {**p.site.configuration(1), "name": p.log.connector}
            assert await p.site.connect.config(p.log.connector) == wanted
            new = p.worker()
            await p.at_work(new)
            await p.next_decision(PATIENCE)
            await going.more(30)
            await p.verify()

            p.log = await resnapshot(p.site)
            assert p.log.number == 2
            await p.next_decision(PATIENCE)
            await going.more(30)
        assert new.runs
        assert not [line["text"] for line in old.lines() if "Traceback" in str(line)]
        assert not await p.pool.fetch("SELECT kind, detail FROM badge_alerts")
        assert await generations.live(p.pool) == p.log

    async def opened() -> None:
        async with AsyncExitStack() as resources:
            site = await resources.enter_async_context(
                own_site(stack, database_url, partitions=PARTITIONS, migrated=False)
            )
            pool = await resources.enter_async_context(connections(database_url))
            nothing_yet = Generation("", 0, "", "", "", PARTITIONS, "", 0, "filling")
            p = Pipeline(stack, site, database_url, pool, nothing_yet)
            resources.callback(p.end_workers)
            await test(p)

    asyncio.run(opened())
