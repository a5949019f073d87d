"""Each of many things is broken in turn on the real stack, and doctor names exactly that one."""

from collections.abc import Collection
from datetime import datetime, timedelta, tzinfo
from functools import partial
from pathlib import Path
from typing import Any, Self

import pytest

from badges.doctor import deployment, flow
from badges.doctor.checks import CHECKS, SERVERS
from badges.doctor.deployment import Deployment
from badges.doctor.examination import Examination, examine
from badges.doctor.lines import Line
from badges.doctor.mending import mend
from badges.settings import Settings
from schema import apply
from streams.filling import provisioning
from tests.contract.proxy import proxied
from tests.integration.doctor_breaks import BREAKS, Act, Break
from tests.integration.pipeline import Pipeline, Rig
from tests.own_site import OwnSite
from tests.stack import LIMIT_S

UNMANNED = {"workers"}
"""What is wrong where no worker runs: these tests have none, which would tell of it too."""


@pytest.fixture(autouse=True)
def _own_site(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deployment, "Site", partial(OwnSite, database=rig.pipeline.site.database))


def settings(p: Pipeline, **more: Any) -> Settings:
    """What doctor is told of a pipeline."""
    told = {
        "database_url": p.owner_url,
        "kafka_bootstrap": p.stack.kafka_bootstrap,
        "connect_url": p.stack.connect_url,
        "prefix": p.site.prefix,
        "partitions": p.site.partitions,
        "checkpoints": None,
    }
    return Settings(**{**told, **more})


async def look(p: Pipeline, only: Collection[str] = (), **more: Any) -> Examination:
    """What doctor finds, or what some of its checks do."""
    checks = [check for check in CHECKS if not only or check.id in only]
    async with Deployment(settings(p, **more), LIMIT_S) as at:
        return await examine(at, SERVERS, checks)


async def seen(p: Pipeline, *only: str, **more: Any) -> set[str]:
    """What some checks name, once all servers have had the time to answer."""
    found: list[set[str]] = []

    async def all_answer() -> bool:
        found.append(named(await look(p, only, **more)))
        return found[-1].isdisjoint(SERVERS)

    await p.until(all_answer, what="an answer of every server")
    return found[-1]


def named(found: Examination) -> set[str]:
    """The checks that are not ok, the one that no worker runs aside."""
    return {line.id for line in found.lines if line.result.status != "ok"} - UNMANNED


async def act(p: Pipeline, what: Act) -> None:
    """Do something of the table."""
    if not isinstance(what, str):
        await what(p)
        return
    await run(p, what.format(p=p.site.prefix, db=p.site.database))


async def run(p: Pipeline, statements: str) -> None:
    """Run SQL of which each statement is a transaction of its own."""
    for statement in statements.split(";"):
        if statement.strip():
            await p.site.connection.execute(statement)


async def heed(p: Pipeline, line: Line) -> None:
    """Do what a line says that mends it."""
    fix = line.result.fix
    assert fix is not None
    if fix == "badges migrate":
        await apply.migrate(p.site.connection, prefix=p.site.prefix, role_passwords={})
    elif fix == "badges provision":
        await provisioning.provision(p.site)
    elif fix.startswith("kafka-configs.sh"):
        async with Deployment(settings(p), LIMIT_S) as at:
            await at.open_postgres()
            assert await mend(at, [line]) == ["set the topics' settings"]
    else:
        await run(p, fix)


@pytest.mark.parametrize("broken", BREAKS, ids=lambda broken: broken.name.replace(" ", "-"))
def test_what_is_broken_is_named_and_its_remedy_mends_it(unmanned: Rig, broken: Break) -> None:
    found: list[Examination] = []

    async def is_named(p: Pipeline) -> bool:
        found.append(await look(p, **broken.settings))
        return named(found[-1]) == {*broken.names}

    async def is_content(p: Pipeline) -> bool:
        return named(await look(p, broken.names)) == set()

    async def test(p: Pipeline) -> None:
        await act(p, broken.does)
        try:
            await p.until(partial(is_named, p), what=f"doctor to name {broken.names}")
        finally:
            for line in found[-1].lines:
                if line.result.status != "ok":
                    print(line.told())
            if broken.ends is not None:
                await act(p, broken.ends)
        for line in found[-1].lines:
            if line.id == broken.names[0] and line.result.status != "ok" and not broken.settings:
                assert line.result.fix or broken.ends is not None
                if broken.ends is None:
                    await heed(p, line)
        await p.until(partial(is_content, p), what="doctor to be content")

    unmanned.run(test)


def test_there_are_at_least_thirty() -> None:
    assert len(BREAKS) >= 30
    assert len({broken.name for broken in BREAKS}) == len(BREAKS)


def test_after_all_of_them_nothing_is_wrong(unmanned: Rig) -> None:
    async def is_well(p: Pipeline) -> bool:
        found = await look(p)
        print([line.told() for line in found.lines if line.result.status != "ok"])
        return named(found) == set()

    unmanned.run(lambda p: p.until(partial(is_well, p), what="a stack that is well"))


def test_a_setting_that_is_misspelt_is_named(
    unmanned: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def test(p: Pipeline) -> None:
        monkeypatch.setenv("BADGES_KAFKA_BOOTSTRP", "x")
        assert await seen(p, "settings") == {"settings"}
        monkeypatch.delenv("BADGES_KAFKA_BOOTSTRP")
        assert await seen(p, "settings") == set()

    unmanned.run(test)


def test_checkpoints_that_anybody_may_write_are_named(unmanned: Rig, tmp_path: Path) -> None:
    folder = tmp_path / "checkpoints"

    async def test(p: Pipeline) -> None:
        assert await seen(p, "checkpoints", checkpoints=folder) == set()
        folder.mkdir()
        folder.chmod(0o777)
        assert await seen(p, "checkpoints", checkpoints=folder) == {"checkpoints"}
        found = await look(p, ["checkpoints"], checkpoints=folder)
        (fix,) = (line.result.fix for line in found.lines if line.id == "checkpoints")
        command, mode, place = (fix or "").split(maxsplit=2)
        assert (command, mode) == ("chmod", "700")
        assert Path(place.strip("'")) == folder
        folder.chmod(int(mode, 8))
        assert await seen(p, "checkpoints", checkpoints=folder) == set()

    unmanned.run(test)


@pytest.mark.parametrize(
    ("sets", "ends"),
    [
        (
            "ALTER DATABASE {db} SET statement_timeout = '90s'",
            "ALTER DATABASE {db} RESET statement_timeout",
        ),
        (
            "ALTER SYSTEM SET statement_timeout = '90s'; SELECT pg_reload_conf()",
            "ALTER SYSTEM RESET statement_timeout; SELECT pg_reload_conf()",
        ),
    ],
    ids=["database", "server"],
)
def test_a_timeout_of_everybodys_is_named_until_connect_has_its_own(
    unmanned: Rig, sets: str, ends: str
) -> None:
    found: list[Examination] = []

    async def is_named(p: Pipeline) -> bool:
        found.append(await look(p, ["role_timeouts"]))
        return named(found[-1]) == {"role_timeouts"}

    async def test(p: Pipeline) -> None:
        await act(p, sets)
        try:
            await p.until(partial(is_named, p), what="doctor to name a timeout")
            (line,) = (line for line in found[-1].lines if line.id == "role_timeouts")
            await heed(p, line)
            assert await seen(p, "role_timeouts") == set()
        finally:
            await act(p, ends)
            await act(p, "ALTER ROLE badges_connect RESET statement_timeout")

    unmanned.run(test)


def test_a_pooler_in_the_place_of_postgres_is_named(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        async with proxied(p.owner_url) as (proxy, url):
            assert await seen(p, "pooler", database_url=url) == set()
            proxy.name_processes()
            assert await seen(p, "pooler", database_url=url) == {"pooler"}

    unmanned.run(test)


def test_a_clock_that_is_off_is_named(unmanned: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    class Ahead(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(minutes=5)

    async def test(p: Pipeline) -> None:
        assert await seen(p, "clock") == set()
        monkeypatch.setattr(flow, "datetime", Ahead)
        assert await seen(p, "clock") == {"clock"}

    unmanned.run(test)


def test_a_worker_that_is_frozen_is_named_until_it_goes_on(unmanned: Rig) -> None:
    async def is_named(p: Pipeline) -> bool:
        # Its session with the group ends some seconds later.
        return named(await look(p)) in ({"lag"}, {"worker_group"})

    async def is_content(p: Pipeline) -> bool:
        found = await look(p)
        print([line.told() for line in found.lines if line.result.status != "ok"])
        return found.ok and named(found) == set()

    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        await p.settle()
        worker.pause()
        try:
            await p.until(partial(is_named, p), what="doctor to name a frozen worker")
        finally:
            worker.resume()
        await p.until(partial(is_content, p), what="doctor to be content")

    unmanned.run(test)
