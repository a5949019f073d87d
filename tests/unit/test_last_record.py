"""The last record that was decided is remembered, and looked for where the log is read again."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from sinks.base import Place
from streams import write_guard
from streams.errors import CannotTell, LogBroken
from streams.log.last_record import check_last
from streams.recovery import Recovery
from streams.rule_versions import Versions
from streams.write_guard import WriteGuard
from tests.builders import activity, generation, mentor, organization
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_log import MemoryLog
from tests.doubles.memory_sink import MemorySink
from tests.records import Writer, value
from tests.unit.chaos import World, run
from tests.unit.partitions import apply_to_all, begun

LOG = "log"


def sequence(lsn: int) -> str:
    return f'["{lsn}", "{lsn}"]'


def test_a_turn_remembers_its_last_record() -> None:
    writer, state = Writer(MemoryLog()), begun(organization())
    records = [writer.put(mentor()), writer.put(activity("a", 1))]
    assert state.fold(records) is None
    assert state.close_turn()[0].last == Place(1, sequence(1020))


def test_a_turn_without_records_remembers_the_one_before() -> None:
    writer, state = Writer(MemoryLog()), begun(organization())
    state.fold([writer.put(mentor())])
    state.close_turn()
    apply_to_all(state, [organization(version=2)])
    assert state.close_turn()[0].last == Place(0, sequence(1010))


def test_nothing_is_remembered_where_nothing_was_read() -> None:
    assert begun(organization()).close_turn()[0].last is None


def test_offsets_that_hold_no_record_are_none() -> None:
    writer, state = Writer(MemoryLog()), begun(organization())
    state.fold([writer.put(mentor())])
    state.pass_over(7)
    turn, _ = state.close_turn()
    assert (turn.end, turn.last) == (7, Place(0, sequence(1010)))


def test_a_record_that_cannot_be_used_is_remembered_as_well() -> None:
    writer, state = Writer(MemoryLog()), begun(organization())
    text = value(activity("a", 1), "c", commit=5).replace(
        b'"activity_date": 1', b'"activity_date": "x"'
    )
    state.fold([writer.raw(text)])
    assert state.close_turn()[0].last == Place(0, '["5", "0"]')
    state.fold([writer.raw(b"what is no JSON")])
    assert state.close_turn()[0].last == Place(1, None)


@pytest.mark.parametrize(
    ("decided", "last"),
    [
        (Place(5, "[1,1]"), Place(5, "[2,2]")),
        (Place(5, "[1,1]"), Place(4, "[1,1]")),
        (Place(5, "[1,1]"), Place(5, None)),
        (Place(5, "[1,1]"), None),
    ],
)
def test_another_record_in_its_place_is_a_break(decided: Place, last: Place | None) -> None:
    with pytest.raises(LogBroken, match="offset 5 of partition 3 holds another record") as caught:
        check_last(3, 8, decided, last)
    assert caught.value.kind == "log_rewritten"


@pytest.mark.parametrize(
    ("decided", "last"),
    [
        (Place(5, "[1,1]"), Place(5, "[1,1]")),
        (None, Place(5, "[1,1]")),
        (Place(5, None), Place(5, "[1,1]")),
        (Place(8, "[3,3]"), Place(5, "[1,1]")),
    ],
)
def test_the_same_one_is_none_and_what_is_not_known_is_not_compared(
    decided: Place | None, last: Place
) -> None:
    check_last(3, 8, decided, last)


def test_a_partition_that_begins_finds_what_was_written_over() -> None:
    async def test() -> None:
        writer, sink, versions = Writer(MemoryLog()), MemorySink(), Versions()
        versions.keep(organization())
        sink.set_position(LOG, 0, 0)
        state = begun(organization())
        state.fold([writer.put(mentor()), writer.put(activity("a", 1))])
        await sink.write(state.close_turn()[0])
        recovery = Recovery(generation(log_id=LOG), sink, versions, writer.log)
        assert (await recovery.restore(0)).last == Place(1, sequence(1020))

        writer.log.records[0].pop()
        writer.put(activity("b", 2))
        with pytest.raises(LogBroken) as caught:
            await recovery.restore(0)
        assert caught.value.kind == "log_rewritten"

    asyncio.run(test())


def test_the_log_is_read_again_after_every_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_guard, "CHECK_SECONDS", 0)
    asked: list[bool] = []
    steps: list[Callable[[], Awaitable[LogBroken | None]]] = []

    async def nothing() -> None:
        return None

    async def away() -> None:
        raise CannotTell("Kafka is away")

    async def doubted() -> None:
        guard.suspect()

    async def mendable() -> LogBroken:
        return LogBroken("topic_settings", "it would expire")

    async def look(reread: bool) -> LogBroken | None:
        asked.append(reread)
        if len(asked) > len(steps):
            raise asyncio.CancelledError
        return await steps[len(asked) - 1]()

    async def mark_broken(_: LogBroken) -> bool:
        raise AssertionError("nothing is for good here")

    steps += [nothing, nothing, away, away, nothing, doubted, nothing, mendable, nothing, nothing]
    guard = WriteGuard(look, mark_broken, MemoryAlerts())
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(guard.watch())

    #       first        after two that failed     after a doubt
    assert asked == [
        True, False, False, True, True, False, True, False, False, False, False
    ]  # fmt: skip


def test_a_worker_that_remembers_none_has_gone_on_from_there() -> None:
    check_last(0, 200, Place(100, "[1,2]"), Place(199, "[3,4]"))
    with pytest.raises(LogBroken):
        check_last(0, 200, Place(199, "[1,2]"), Place(199, "[3,4]"))


@pytest.mark.parametrize("more", [0, 3])
def test_a_lane_finds_out_what_was_written_over_behind_its_back(more: int) -> None:
    async def story() -> None:
        world = World(1)
        world.versions.keep(organization())
        world.sink.set_position(LOG, 0, 0)
        rows = [mentor(), *(activity(str(n), n) for n in range(4))]
        for row in rows:
            world.writer.put(row)
        _, watching = world.begin()
        await until(lambda: decided(world) == 5)

        # Kafka loses two records, and another connection finds others in their places.
        del world.log.records[0][-2:]
        for number in range(2 + more):
            world.writer.put(activity(f"other-{number}", number))
        world.connections += 1
        if more:
            world.offer(5)
        await until(lambda: bool(world.broken))
        assert world.broken[0].kind == "log_rewritten"
        assert "offset 4 of partition 0 holds another record" in str(world.broken[0])
        assert decided(world) == 5
        watching.cancel()

    run(story())


def test_what_no_lane_had_decided_may_be_another_record_by_now() -> None:
    async def story() -> None:
        world = World(2)
        world.versions.keep(organization())
        world.sink.set_position(LOG, 0, 0)
        for row in [mentor(), activity("0", 0)]:
            world.writer.put(row)
        _, watching = world.begin()
        await until(lambda: decided(world) == 2)
        world.connections += 1
        world.writer.put(activity("lost", 1))
        world.log.records[0].pop()
        world.writer.put(activity("1", 1))
        world.offer(2)
        await until(lambda: decided(world) == 3)
        assert not world.broken
        watching.cancel()

    run(story())


def decided(world: World) -> int:
    """The next offset to decide."""
    return world.sink._positions[LOG, 0].next_offset


async def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fails after ten minutes, which are skipped."""
    async with asyncio.timeout(600):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.1)
