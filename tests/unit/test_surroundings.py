"""A worker tells what it finds around the log, and closes what is mended, whatever fails."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from sinks.alerts import PARTITIONS, AlertKind, standing
from sinks.queries import QUERIES
from streams import surroundings
from streams.rule_versions import Versions
from streams.surroundings import UNREAD, Surroundings
from tables.types import DefinitionVersion, OrganizationVersion
from tables.zones import offsets
from tests.builders import generation
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_sink import MemorySink

SAVED = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = '{"version": 1, "type": "threshold", "metric": "count", "at_least": 1}'


class Database:
    """Answers to the statements of `surroundings`: rows, a value, or an error to raise."""

    def __init__(self) -> None:
        self.answers: dict[str, Any] = {
            "missed_versions": [],
            "awards_are_unique": True,
            "duplicate_awards": [],
            "time_zones": [],
            "unread_slots": [],
        }
        self.asked: list[str] = []

    async def fetch(self, query: str, *_: object) -> Any:
        return self._answer(query)

    async def fetchval(self, query: str, *_: object) -> Any:
        return self._answer(query)

    def _answer(self, query: str) -> Any:
        (name,) = (name for name in self.answers if QUERIES[name] == query)
        self.asked.append(name)
        answer = self.answers[name]
        if isinstance(answer, Exception):
            raise answer
        return answer


class World:
    """Surroundings whose database, versions and alerts a test sets and sees."""

    def __init__(self) -> None:
        self.database = Database()
        self.versions = Versions()
        self.alerts = MemoryAlerts()
        self.looking = self.worker(self.database)

    def worker(self, database: Database) -> Surroundings:
        """What one worker looks with."""
        return Surroundings(
            database,  # type: ignore[arg-type]
            MemorySink(),
            self.versions,
            self.alerts,
            generation(partitions=3),
        )

    def open(self, kind: AlertKind) -> list[str]:
        return [
            alert.subject
            for alert in self.alerts.alerts
            if alert.kind == kind and alert.resolved_at is None
        ]

    async def look(self, kind: AlertKind) -> list[str]:
        await self.looking.look(kind)
        return self.open(kind)


def run(test: Callable[[World], Awaitable[None]]) -> None:
    async def body() -> None:
        await test(World())

    asyncio.run(body())


def missed(*ids: str, what: str = "changed") -> Iterable[dict[str, str]]:
    return [{"kind": "definition", "id": each, "what": what} for each in ids]


def test_each_finding_is_an_alert_until_it_is_found_no_more() -> None:
    async def test(world: World) -> None:
        world.database.answers["missed_versions"] = missed("a", "b")
        assert await world.look("versions_differ") == ["a", "b"]
        assert await world.look("versions_differ") == ["a", "b"]
        world.database.answers["missed_versions"] = missed("b")
        assert await world.look("versions_differ") == ["b"]
        assert len(world.alerts.alerts) == 2
        assert "badges migrate" in str(world.alerts.alerts[0].detail["message"])

    run(test)


def test_a_slot_that_nobody_reads_is_told_after_a_minute() -> None:
    async def test(world: World) -> None:
        unread = world.database.answers["unread_slots"] = [
            {"slot": "badges_mentor_log_2", "retained_bytes": 1}
        ]
        for _ in range(UNREAD - 1):
            assert await world.look("slot_left_over") == []
        assert await world.look("slot_left_over") == ["badges_mentor_log_2"]
        unread[0] = {"slot": "badges_mentor_log_2", "retained_bytes": 2}
        assert await world.look("slot_left_over") == ["badges_mentor_log_2"]
        assert len(world.alerts.alerts) == 1
        world.database.answers["unread_slots"] = []
        assert await world.look("slot_left_over") == []

    run(test)


def test_what_an_earlier_process_told_is_closed_too() -> None:
    async def test(world: World) -> None:
        for kind in ("versions_differ", "definition_invalid", "time_zone", "write_refused"):
            await world.alerts.raise_alert(kind, {"message": "old"}, subject="a")
        for kind in ("constraint_missing", "duplicate_awards"):
            await world.alerts.raise_alert(kind, {"message": "old"})  # type: ignore[arg-type]
        for alert in world.alerts.alerts:
            assert await world.look(alert.kind) == []

    run(test)


def test_what_says_something_else_by_now_is_told_anew() -> None:
    async def test(world: World) -> None:
        world.database.answers["missed_versions"] = missed("a")
        await world.look("versions_differ")
        world.database.answers["missed_versions"] = missed("a", what="deleted")
        assert await world.look("versions_differ") == ["a"]
        assert [alert.detail["what"] for alert in world.alerts.alerts] == ["changed", "deleted"]

    run(test)


def test_an_unknown_rule_is_closed_once_a_version_of_it_is_known() -> None:
    async def test(world: World) -> None:
        for subject in ("d", "o", "stranger"):
            await world.alerts.raise_alert("rule_unknown", {"message": "who?"}, subject=subject)
        world.database.answers["rules_in_use"] = ["d", "o", "stranger"]
        assert await world.look("rule_unknown") == ["d", "o", "stranger"]
        world.versions.keep(DefinitionVersion("d", 1, SAVED, deleted=False))
        world.versions.keep(OrganizationVersion("o", 1, SAVED, "Europe/Oslo"))
        assert await world.look("rule_unknown") == ["stranger"]
        world.database.answers["rules_in_use"] = ["d", "o"]
        assert await world.look("rule_unknown") == []

    run(test)


def test_a_definition_is_told_while_it_is_active_and_invalid() -> None:
    async def test(world: World) -> None:
        def save(version: int, criteria: str, status: str = "active") -> None:
            fields = {"key": "k", "criteria": criteria, "status": status}
            world.versions.keep(
                DefinitionVersion("d", version, SAVED, deleted=False, **fields)  # type: ignore[arg-type]
            )

        save(1, COUNT)
        assert await world.look("definition_invalid") == []
        for number, mended in enumerate(("mended", "draft", "retired")):
            save(2 * number + 2, "[]")
            assert await world.look("definition_invalid") == ["d"]
            assert await world.look("definition_invalid") == ["d"]
            if mended == "mended":
                save(2 * number + 3, COUNT)
            else:
                save(2 * number + 3, "[]", mended)
            assert await world.look("definition_invalid") == []
        save(8, "[]")
        assert await world.look("definition_invalid") == ["d"]
        world.versions.keep(DefinitionVersion("d", 9, SAVED, deleted=True))
        assert await world.look("definition_invalid") == []

    run(test)


def test_awards_are_read_only_where_nothing_keeps_them_apart() -> None:
    async def test(world: World) -> None:
        twice = {
            "id": "a2", "peer_mentor_id": "m", "badge_definition_id": "d", "earned_at": SAVED,
            "kept_id": "a1",
        }  # fmt: skip
        world.database.answers["duplicate_awards"] = [twice]
        assert await world.look("duplicate_awards") == []
        assert "duplicate_awards" not in world.database.asked
        world.database.answers["awards_are_unique"] = False
        assert await world.look("constraint_missing") == [""]
        assert await world.look("duplicate_awards") == [""]
        world.database.answers["duplicate_awards"] = []
        assert await world.look("duplicate_awards") == []
        assert await world.look("constraint_missing") == [""]
        world.database.answers["awards_are_unique"] = True
        assert await world.look("constraint_missing") == []

    run(test)


def test_a_zone_is_told_while_it_differs() -> None:
    async def test(world: World) -> None:
        row = {"name": "Europe/Oslo", "organizations": 1, "offsets": None}
        world.database.answers["time_zones"] = [row]
        assert await world.look("time_zone") == ["Europe/Oslo"]
        world.database.answers["time_zones"] = [{**row, "offsets": offsets("Europe/Oslo")}]
        assert await world.look("time_zone") == []

    run(test)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.InsufficientPrivilegeError("permission denied"),
        asyncpg.UndefinedFunctionError("no such function"),
        ConnectionRefusedError(),
        ZeroDivisionError(),
    ],
)
def test_a_look_that_fails_ends_nothing_and_silences_no_other(
    monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    monkeypatch.setattr(surroundings, "LOOK_EVERY_S", 0)

    async def test(world: World) -> None:
        world.database.answers["missed_versions"] = error
        world.database.answers["awards_are_unique"] = False
        await world.alerts.raise_alert("versions_differ", {"message": "old"}, subject="a")
        task = asyncio.create_task(world.looking.watch())
        async with asyncio.timeout(30):
            while world.database.asked.count("missed_versions") < 3:  # noqa: ASYNC110
                await asyncio.sleep(0)
        assert not task.done()
        assert world.open("constraint_missing") == [""]
        assert world.open("versions_differ") == ["a"], "what cannot be asked is not mended"
        world.database.answers["missed_versions"] = []
        async with asyncio.timeout(30):
            while world.open("versions_differ"):  # noqa: ASYNC110
                await asyncio.sleep(0)
        task.cancel()

    run(test)


def test_what_another_worker_tells_during_a_look_that_found_nothing_stays_open() -> None:
    async def test(world: World) -> None:
        world.database.answers["missed_versions"] = missed("a")

        class Earlier(Database):
            async def fetch(self, query: str, *_: object) -> Any:
                await world.look("versions_differ")
                return await super().fetch(query)

        await world.worker(Earlier()).look("versions_differ")
        assert world.open("versions_differ") == ["a"]

    run(test)


@pytest.mark.parametrize("kind", PARTITIONS)
def test_what_is_told_of_a_partition_that_is_no_more_is_closed(kind: AlertKind) -> None:
    async def test(world: World) -> None:
        for subject in ("2", "3", standing(2), standing(11), "activities", ""):
            await world.alerts.raise_alert(kind, {"message": "it stands"}, subject=subject)

        assert await world.look(kind) == ["2", standing(2), "activities", ""]

    run(test)
