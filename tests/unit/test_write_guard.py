"""What is told of a log that may not be written: each thing once, and another one anew."""

import asyncio
from collections.abc import Sequence

import pytest

from sinks.errors import Unavailable
from streams import write_guard
from streams.errors import LogBroken
from streams.write_guard import PATIENT_LOOKS, PATIENT_LOOKS_AT_POSTGRES, WriteGuard
from tests.doubles.memory_alerts import MemoryAlerts


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_guard, "CHECK_SECONDS", 0)


def renamed(column: str) -> LogBroken:
    return LogBroken("column_renamed", f"column {column} is called other now", lasting=False)


def told(
    looks: Sequence[LogBroken | None], alerts: MemoryAlerts | None = None
) -> list[tuple[str, str, bool]]:
    """Kind, message and whether it is open, of each alert after these looks."""
    alerts = alerts or MemoryAlerts()
    left = list(looks)

    async def look(_: bool) -> LogBroken | None:
        if not left:
            raise asyncio.CancelledError
        return left.pop(0)

    async def mark_broken(_: LogBroken) -> bool:
        raise AssertionError("whoever looks notes what is for good")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(WriteGuard(look, mark_broken, alerts).watch())
    return [(a.kind, str(a.detail["message"]), a.resolved_at is None) for a in alerts.alerts]


def test_a_second_rename_is_told_in_the_place_of_the_first() -> None:
    one, two = renamed("active"), renamed("duration_minutes")

    assert told([one, one, two, two]) == [
        ("column_renamed", str(one), False),
        ("column_renamed", str(two), True),
    ]
    assert told([one, two, one, None])[-1] == ("column_renamed", str(one), False)


def test_what_another_process_has_told_is_not_told_again() -> None:
    one, two = renamed("active"), renamed("duration_minutes")
    alerts = MemoryAlerts()
    asyncio.run(alerts.raise_alert("column_renamed", {"message": str(two)}))

    assert told([two, two], alerts) == [("column_renamed", str(two), True)]
    assert told([one, two], alerts)[-1] == ("column_renamed", str(two), True)
    assert [open_ for *_, open_ in told([two], alerts)].count(True) == 1


def test_of_what_lasts_the_first_words_count() -> None:
    first, later = (LogBroken("slot_ahead", f"the slot is confirmed up to {n}") for n in (1, 2))

    assert told([first, later]) == [("slot_ahead", str(first), True)]


@pytest.mark.parametrize(
    ("error", "patience"),
    [
        (OSError("Kafka is away"), PATIENT_LOOKS),
        (Unavailable("Postgres is away"), PATIENT_LOOKS_AT_POSTGRES),
    ],
)
def test_what_cannot_be_looked_at_is_told_again_when_somebody_has_closed_it(
    error: Exception, patience: int
) -> None:
    alerts = MemoryAlerts()
    looks = 0

    async def look(_: bool) -> LogBroken | None:
        nonlocal looks
        looks += 1
        assert bool(alerts.alerts) is (looks > patience)
        if looks == patience + 2:
            await alerts.resolve("log_unreachable")
        if looks > 2 * patience:
            raise asyncio.CancelledError
        raise error

    async def mark_broken(_: LogBroken) -> bool:
        raise AssertionError("nothing is broken")

    with pytest.raises(asyncio.CancelledError):
        asyncio.run(WriteGuard(look, mark_broken, alerts).watch())
    told = [(alert.kind, alert.resolved_at is None) for alert in alerts.alerts]
    assert told == [("log_unreachable", False), ("log_unreachable", True)]


def test_a_break_is_noted_as_soon_as_that_can_be_written() -> None:
    found = LogBroken("log_rewritten", "another record is there")
    answers = [False, False, True]
    noted: list[LogBroken] = []

    async def look(_: bool) -> LogBroken | None:
        return None

    async def test() -> None:
        over = asyncio.Event()

        async def mark_broken(error: LogBroken) -> bool:
            noted.append(error)
            if len(answers) == 1:
                over.set()
            return answers.pop(0)

        guard = WriteGuard(look, mark_broken, MemoryAlerts())
        standing = asyncio.create_task(guard.broken(found))
        async with asyncio.timeout(10):
            await over.wait()
        standing.cancel()

    asyncio.run(test())
    assert noted == [found] * 3
