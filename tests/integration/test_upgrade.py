"""A database and a log of an earlier version go on with today's, with rows flowing all the time.

The earlier version is kept beside this file, as its package was (`git archive 3efbcc6 badges`): a
clone need not have the history, and its own worker is what decides before the upgrade.
"""

import asyncio
import os
import shutil
from contextlib import AsyncExitStack
from datetime import date
from pathlib import Path
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest

from sinks.failures import LOCKED
from streams.filling.provisioning import resnapshot
from streams.log import generations
from streams.log.debezium import UNAVAILABLE
from streams.log.generations import Generation
from tests.builders import PlainTeller, Storyteller
from tests.integration import commands
from tests.integration.alerts import OF_WAITING, all_closed
from tests.integration.load import Load, going_on
from tests.integration.operations import Operations
from tests.integration.pipeline import PARTITIONS, Pipeline, connections
from tests.integration.workers import LONG_SESSION, Worker
from tests.log_site import own_site
from tests.stack import ROOT, Stack

BEFORE_DATES = Path(__file__).with_name("version_before_dates.tar.xz")
"""The version before awards had dates, and a log a fingerprint of what it was filled from."""

NAMES_SINCE = {
    "badges.cli.main": "badges.console.cli.main",
    "badges.cli.provision": "badges.console.cli.provision",
    "badges.settings": "badges.console.settings",
    "streams.batching": "badges.streams.batching",
    "streams.filling.site": "badges.console.stack.filling",
}
"""Modules that tests and the installed package name, and what that version called them."""
ALIAS = """\
import sys
from importlib import import_module

named = import_module("{}")
if __name__ == "__main__":
    named.main()
sys.modules[__name__] = named
"""

OF_THE_RULES = ["definition_invalid"]
"""Alerts that stories give reason for."""


@pytest.fixture
def earlier(tmp_path: Path) -> dict[str, str]:
    """Environment variables with which `python -m` runs the earlier version."""
    shutil.unpack_archive(BEFORE_DATES, tmp_path, filter="data")
    for name, then in NAMES_SINCE.items():
        module = tmp_path / f"{name.replace('.', '/')}.py"
        module.parent.mkdir(parents=True, exist_ok=True)
        (module.parent / "__init__.py").touch()
        (tmp_path / name.partition(".")[0] / "__init__.py").touch()
        module.write_text(ALIAS.format(then))
    # Without the second, the directory that the test runs in would come first.
    return {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "PYTHONSAFEPATH": "1"}


async def log_of(p: Pipeline) -> Generation:
    """The one generation of a log of whatever version."""
    row = await p.pool.fetchrow(
        "SELECT log_id, generation AS number, topic, slot, connector, partitions, "
        "system_identifier, timeline, state FROM badge_logs"
    )
    assert row is not None
    return Generation(**dict(row))


async def local_dates(p: Pipeline) -> dict[UUID, date]:
    """The date in Oslo at which each award was earned, read from its instant, by award id."""
    oslo = ZoneInfo("Europe/Oslo")
    rows = await p.pool.fetch("SELECT id, earned_at FROM badge_awards")
    return {row["id"]: row["earned_at"].astimezone(oslo).date() for row in rows}


async def dates(p: Pipeline) -> dict[UUID, date]:
    """What earned_on says, by award id."""
    rows = await p.pool.fetch("SELECT id, earned_on FROM badge_awards")
    return {row["id"]: row["earned_on"] for row in rows}


async def work_before(p: Pipeline, operations: Operations, earlier: dict[str, str]) -> Worker:
    """A database, a log and a worker of the earlier version, and the beginning of the story."""
    await commands.answer(p, "migrate", **earlier)
    made = await commands.answer(p, "provision", **earlier)
    p.log = await log_of(p)
    assert (made["generation"], made["log_id"]) == (1, p.log.log_id)
    worker = p.worker(**earlier, **LONG_SESSION)
    await p.at_work(worker)
    await Load(p, operations).begin()
    return worker


async def migrate(p: Pipeline) -> None:
    """Migrate under the earlier version's worker: every award that is there gets its date."""
    found = await local_dates(p)
    assert found
    report = await commands.answer(p, "migrate")
    assert report["applied"]
    dated = await dates(p)
    assert [award for award, day in found.items() if dated.get(award, day) != day] == []


ON_A_BUSY_MACHINE = [*OF_WAITING, "write_refused"]
"""What may be told for a while."""


async def nothing_broke(p: Pipeline) -> None:
    """Fail if an alert tells of anything but invalid criteria and a while of waiting."""
    # Whoever holds a lock may get no time to let go of it.
    alerts = await p.pool.fetch(
        "SELECT kind, detail FROM badge_alerts WHERE kind <> ALL ($1) "
        "AND (kind, detail ->> 'sqlstate') IS DISTINCT FROM ('write_refused', $2)",
        [*OF_THE_RULES, *OF_WAITING],
        LOCKED,
    )
    assert [tuple(alert) for alert in alerts] == []
    await all_closed(p, *ON_A_BUSY_MACHINE)


def test_a_database_and_a_log_of_the_version_before_go_on(
    stack: Stack, database_url: str, earlier: dict[str, str]
) -> None:
    async def test(p: Pipeline) -> None:
        operations = Operations(41, teller=PlainTeller)
        old = await work_before(p, operations, earlier)
        async with going_on(p, operations) as going:
            await going.more(60)
            await p.next_decision()
            await migrate(p)
            await going.more(30)
            await p.next_decision()
            assert old.runs
            assert old.ask_to_end() == 0

            provisioned = await commands.answer(p, "provision")
            assert provisioned["log_id"] == p.log.log_id
            wanted = {**p.site.configuration(1, UNAVAILABLE), "name": p.log.connector}
            assert await p.site.connect.config(p.log.connector) == wanted
            new = p.worker()
            await p.at_work(new)
            await p.verify()
            operations.tell_by(Storyteller)
            await going.more(60)
            await p.next_decision()
            await p.verify()

            p.log = await resnapshot(p.site)
            assert p.log.number == 2
            await p.next_decision()
            await going.more(30)
        assert new.runs
        assert not [line for line in old.lines() if "Traceback" in str(line)]
        assert None not in (await dates(p)).values()
        await nothing_broke(p)
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
