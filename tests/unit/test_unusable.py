"""Rows that nobody can use: gone until they say something, and no more than 20 in a row unseen."""

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from random import Random
from typing import Any

import pytest

from sinks.column_types import WrongType
from streams.errors import LogBroken
from streams.log.debezium import UNAVAILABLE
from streams.partition import Partition
from streams.partition_worker import Batch
from streams.unusable import MOST_IN_A_ROW, Outline, outline
from tables.types import Activity, Award, Pause, TrainingCompletion
from tests.builders import (
    MENTOR,
    activity,
    award_id,
    definition,
    mentor,
    organization,
    pause,
    training,
)
from tests.doubles.memory_log import Record
from tests.records import AFTER_ALL_DAYS, TABLE_OF, UNUSABLE, Writer, unusable, value
from tests.seeds import seeds
from tests.unit.chaos import LOG, World, run
from tests.unit.partitions import apply_to_all, begun, folded, kinds

INFINITE = {"activity_date": AFTER_ALL_DAYS}
TWO = definition("two", {"type": "threshold", "metric": "count", "at_least": 2}, revocable=True)
TRAINED = definition("trained", {"type": "training", "courses": ["basic"]}, revocable=True)
STREAK = definition("streak", {"type": "streak", "period": "day", "length": 2}, revocable=True)
TEXT = WrongType("activities", "duration_minutes", "text")

CASES = [(kind, columns) for kind, wrong in UNUSABLE.items() for columns in wrong]
ROWS = [case for case in CASES if case[0] in (Activity, TrainingCompletion, Pause)]


def a_row_that_counts(kind: type) -> tuple[list[Any], Any, str]:
    """Rows that are there, a row that makes them enough for a badge, and that badge."""
    if kind is Activity:
        return [activity("a", 1)], activity("b", 2), "two"
    if kind is TrainingCompletion:
        return [], training("t", "basic", 1), "trained"
    return [activity("a", 1), activity("b", 3)], pause("p", 2, 2), "streak"


@pytest.mark.parametrize(("kind", "columns"), ROWS)
def test_a_row_changed_to_what_nobody_can_use_is_gone_until_it_says_something(
    writer: Writer, kind: type, columns: Mapping[str, Any]
) -> None:
    there, row, badge = a_row_that_counts(kind)
    state = begun(organization(), TWO, TRAINED, STREAK)
    folded(state, *(writer.put(each) for each in (mentor(), *there)))
    assert ("granted", badge) in kinds(folded(state, writer.put(row)))

    turn = folded(state, lost := writer.unusable(row, columns))
    assert ("revoked", badge) in kinds(turn)
    assert turn.decisions[0].cause.offset == lost.offset
    assert turn.xids == [turn.decisions[0].cause.xid]

    assert ("restored", badge) in kinds(folded(state, writer.put(row, "u")))


@pytest.mark.parametrize(("kind", "columns"), CASES)
def test_what_cannot_be_used_is_a_letter_that_names_its_row(
    writer: Writer, kind: type, columns: Mapping[str, Any]
) -> None:
    row = a_row_of(kind)
    state = begun(organization(), TWO)
    folded(state, writer.put(mentor()))
    state.fold([record := writer.unusable(row, columns, "c")])
    _, (letter,) = state.close_turn()
    assert (letter.offset, letter.value, letter.row_id) == (record.offset, record.value, row.id)
    (column,) = columns
    assert letter.table == TABLE_OF[kind]
    assert letter.badge_definition_id is None
    assert column in letter.reason or "Invalid isoformat" in letter.reason


def a_row_of(kind: type) -> Any:
    rows = (
        mentor(),
        activity("a", 1),
        training("t", "basic", 1),
        pause("p", 1),
        Award(award_id("x"), MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), changed_by="anna"),
    )
    return next(row for row in rows if type(row) is kind)


def test_a_mentor_or_an_award_that_cannot_be_used_is_a_letter_alone(writer: Writer) -> None:
    state = begun(organization(), TWO)
    rows = [mentor(), activity("a", 1), activity("b", 2)]
    (granted,) = folded(state, *(writer.put(row) for row in rows)).decisions
    turn = folded(
        state,
        writer.unusable(mentor(active=False), {"active": "no"}),
        writer.unusable(granted.after, {"earned_at": "infinity", "changed_by": "anna"}),
    )
    assert turn.decisions == []
    assert turn.mentors_deleted == []
    assert state.mentors[MENTOR].ledger.held["two"].id == granted.after.id


@pytest.mark.parametrize(("kind", "columns"), CASES)
def test_a_delete_whose_fillers_cannot_be_read_is_a_delete(
    writer: Writer, kind: type, columns: Mapping[str, Any]
) -> None:
    state, plain = begun(organization(), TWO), begun(organization(), TWO)
    rows = [mentor(), *(row for row in map(a_row_of, UNUSABLE) if row != mentor())]
    there = [writer.put(row) for row in rows]
    assert state.fold([*there, writer.unusable(a_row_of(kind), columns, "d")]) is None
    turn, letters = state.close_turn()
    expected = folded(plain, *there, writer.delete(a_row_of(kind)))
    assert letters == []
    assert [d.kind for d in turn.decisions] == [d.kind for d in expected.decisions]
    assert len(turn.mentors_deleted) == len(expected.mentors_deleted)
    assert turn.stats == expected.stats


def test_before_the_start_such_rows_are_gone_as_well(writer: Writer) -> None:
    rows = [mentor(), activity("a", 1), activity("b", 2), activity("c", 3)]
    records = [writer.snapshot(row) for row in rows]
    records += [writer.unusable(rows[1], INFINITE), writer.unusable(rows[2], INFINITE)]
    records += [writer.put(rows[1], "u")]
    state = Partition("log", 0, start=len(records))
    assert state.fold(records) is None
    apply_to_all(state, [organization(), TWO])
    turn, letters = state.close_turn()
    assert [letter.offset for letter in letters] == [4, 5]
    assert [stats.activity_count for stats in turn.stats] == [2]
    assert kinds(turn) == [("granted", "two")]


def test_a_row_that_was_never_there_is_no_event(writer: Writer) -> None:
    state = begun(organization(), TWO)
    folded(state, writer.put(mentor()))
    turn = folded(state, writer.unusable(activity("a", 1), INFINITE, "c"))
    assert (turn.decisions, turn.stats, turn.xids) == ([], [], [])
    assert turn.end == 2


def test_what_is_sent_again_is_neither_a_letter_nor_an_event(writer: Writer) -> None:
    state = begun(organization(), TWO)
    there = [writer.put(row) for row in (mentor(), activity("a", 1), activity("b", 2))]
    lost = writer.unusable(activity("a", 1), INFINITE)
    back = writer.put(activity("a", 1), "u")
    folded(state, *there, lost, back)
    assert state.fold([writer.again(lost)]) is None
    turn, letters = state.close_turn()
    assert (turn.decisions, letters) == ([], [])


def test_a_snapshot_row_after_the_start_breaks_the_log_whatever_it_says(writer: Writer) -> None:
    text = unusable(value(activity("a", 1), "r"), INFINITE)
    with pytest.raises(LogBroken) as broken:
        begun(organization(), TWO).fold([writer.raw(text)])
    assert broken.value.kind == "snapshot_row"


@pytest.mark.parametrize("first", ["put", "unusable"])
def test_a_text_that_is_not_sent_again_is_remembered_while_its_row_is_gone(
    writer: Writer, first: str
) -> None:
    state, long = begun(organization(), TWO), "t" * 200
    row = activity("a", 1, long)
    folded(state, writer.put(mentor()))
    folded(state, writer.put(row) if first == "put" else writer.unusable(row, INFINITE, "c"))
    untouched = activity("a", 2, UNAVAILABLE)
    folded(state, writer.unusable(untouched, INFINITE))
    turn = folded(state, writer.put(untouched, "u"))
    assert turn.stats[0].counts_by_type == {long: 1}

    folded(state, writer.unusable(row, INFINITE), writer.delete(row), writer.delete(mentor()))
    assert state.mentors == {}


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        (b"", Outline()),
        (b"[1]", Outline()),
        (b'{"__table": "other", "id": "a", "__op": "c"}', Outline(id="a", op="c")),
        (b'{"__table": 1, "id": 2, "peer_mentor_id": [], "__source_txId": "x"}', Outline()),
        (
            b'{"__table": "activities", "id": "a", "activity_type": "x", '
            b'"peer_mentor_id": "6d000000-0000-4000-8000-000000000000", '
            b'"__op": "u", "__source_txId": 7, "__source_lsn": 8, '
            b'"__source_sequence": "[\\"5\\",\\"8\\"]"}',
            Outline("activities", "a", MENTOR, "u", 7, 8, '["5","8"]', "x"),
        ),
        (b'{"__table": "peer_mentors", "id": "m"}', Outline("peer_mentors", "m")),
        (
            b'{"__table": "activities", "__source_sequence": "[\\"x\\",\\"y\\"]"}',
            Outline("activities"),
        ),
    ],
)
def test_of_a_record_is_read_what_can_be_read(text: bytes, seen: Outline) -> None:
    assert outline(text) == seen


def infinite(writer: Writer, number: int) -> list[Record]:
    return [writer.unusable(activity(f"i{n}", 1), INFINITE, "c") for n in range(number)]


def test_twenty_records_in_a_row_of_a_table_are_letters_and_the_next_one_stops(
    writer: Writer,
) -> None:
    state = begun(organization(), TWO)
    records = [writer.put(mentor()), *infinite(writer, MOST_IN_A_ROW)]
    others = [writer.put(pause("p", 1)), writer.delete(activity("i1", 1)), writer.raw(b"?")]
    (last,) = infinite(writer, 1)
    stopped_at = state.fold([*records, *others, last])
    assert isinstance(stopped_at, Outline)
    assert (stopped_at.table, state.next_offset) == ("activities", last.offset)
    assert len(state.close_turn()[1]) == MOST_IN_A_ROW + 1
    state.excused = {"activities"}
    assert state.fold([last]) is None
    assert len(state.close_turn()[1]) == 1


def test_a_usable_record_of_the_table_begins_the_count_anew(writer: Writer) -> None:
    state = begun(organization(), TWO)
    records = infinite(writer, MOST_IN_A_ROW)
    records += [writer.put(activity("a", 1)), *infinite(writer, MOST_IN_A_ROW)]
    assert state.fold(records) is None


def test_what_is_no_row_never_stops_a_partition(writer: Writer) -> None:
    assert (
        begun(organization(), TWO).fold([writer.raw(b"?") for _ in range(3 * MOST_IN_A_ROW)])
        is None
    )


class Changed(World):
    """A world whose column has another type from some row on."""

    async def position(self) -> int:
        position = await self.sink.position(LOG, 0)
        assert position is not None
        return position.next_offset

    async def until(self, offset: int) -> None:
        async with asyncio.timeout(600):
            while await self.position() != offset:  # noqa: ASYNC110
                await asyncio.sleep(1)

    def open_alerts(self) -> list[str]:
        return [alert.subject for alert in self.alerts.alerts if alert.resolved_at is None]


@pytest.mark.parametrize("seed", seeds(30))
def test_with_a_wrong_type_a_partition_stands_still_at_one_place_whoever_reads_it(
    seed: int,
) -> None:
    """In batches of any size and after any number of restarts; mended, it goes on by itself."""

    async def story() -> None:
        world, random = Changed(seed), Random(seed)
        world.wrong_now.append(TEXT)
        world.versions.keep(organization())
        world.versions.keep(TWO)
        world.sink.insert_definition(TWO.id)
        world.sink.insert_mentor(MENTOR)
        world.sink.set_position(LOG, 0, 0)
        for row in (mentor(), activity("a", 1), activity("b", 2)):
            world.writer.put(row)
        changed = len(world.log.records[0])
        infinite(world.writer, random.randint(MOST_IN_A_ROW + 1, 300))
        end, stands_at = len(world.log.records[0]), changed + MOST_IN_A_ROW
        guard, services = world._services()
        watching = asyncio.create_task(guard.watch())
        for _ in range(random.randint(1, 6)):
            world._begin(services)
            first = await world.position()
            while first < end:
                size = random.choice([1, 7, 19, 20, 21, 500])
                records = world.log.records[0][first : first + size]
                world._partition_workers[-1][0].offer(Batch(records, lambda: None))
                first += size
            await asyncio.sleep(random.uniform(0, 20))
            assert await world.position() <= stands_at
            world._end_one()
        world._begin(services)
        await world.until(stands_at)
        await asyncio.sleep(30)
        assert await world.position() == stands_at
        assert len(world.letters.letters) == MOST_IN_A_ROW
        assert world.open_alerts() == ["activities", "partition 0"]
        assert "activities.duration_minutes has type text" in str(
            world.alerts.alerts[-1].detail["message"]
        )
        assert set(await world.awards()) == {"two"}

        world.wrong_now.clear()
        await world.until(end)
        assert len(world.letters.letters) == end - changed
        assert world.open_alerts() == ["activities"]
        watching.cancel()
        world._end_one()
        with suppress(asyncio.CancelledError):
            await watching

    run(story())


def test_a_partition_that_stands_takes_up_what_is_saved_meanwhile() -> None:
    async def story() -> None:
        world = Changed(1)
        world.wrong_now.append(TEXT)
        world.versions.keep(organization())
        world.sink.insert_mentor(MENTOR)
        world.sink.set_position(LOG, 0, 0)
        for row in (mentor(), activity("a", 1), activity("b", 2)):
            world.writer.put(row)
        infinite(world.writer, MOST_IN_A_ROW + 5)
        guard, services = world._services()
        watching = asyncio.create_task(guard.watch())
        world._begin(services)
        await world.until(3 + MOST_IN_A_ROW)
        world.sink.insert_definition(TWO.id)
        world.versions.keep(TWO)
        async with asyncio.timeout(60):
            while not await world.awards():  # noqa: ASYNC110
                await asyncio.sleep(1)
        assert await world.position() == 3 + MOST_IN_A_ROW
        watching.cancel()
        world._end_one()

    run(story())


def test_rows_before_the_start_that_nobody_can_use_let_nobody_be_decided() -> None:
    async def story() -> None:
        world = Changed(1)
        world.wrong_now.append(TEXT)
        world.versions.keep(organization())
        world.versions.keep(TWO)
        world.sink.insert_definition(TWO.id)
        world.sink.insert_mentor(MENTOR)
        there = Award(award_id("x"), MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), 1)
        world.sink.put_award(there)
        for row in (mentor(), there):
            world.writer.snapshot(row)
        infinite(world.writer, MOST_IN_A_ROW + 5)
        world.start = len(world.log.records[0])
        world.sink.set_position(LOG, 0, world.start)
        guard, services = world._services()
        watching = asyncio.create_task(guard.watch())
        world._begin(services)
        await asyncio.sleep(30)
        assert world.open_alerts() == ["partition 0"]
        assert (await world.awards())["two"].revoked_by is None
        world.wrong_now.clear()
        async with asyncio.timeout(60):
            while (await world.awards())["two"].revoked_by != "rule":  # noqa: ASYNC110
                await asyncio.sleep(1)
        assert world.open_alerts() == ["activities"]
        assert len(world.letters.letters) == MOST_IN_A_ROW + 5
        watching.cancel()
        world._end_one()

    run(story())
