"""A column that a record lacks is no null, a stand-in no text, and a delete has its mentor."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec.structs
import pytest

from streams.errors import LogBroken
from streams.log.debezium import UNAVAILABLE
from streams.partition import Partition
from tables.types import Activity, Award, Mentor, Pause, TrainingCompletion
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
from tests.records import TABLE_OF, Writer, value
from tests.unit.partitions import apply_to_all, begun

TWO = definition("two", {"type": "threshold", "metric": "count", "at_least": 2})
AWARD = Award(award_id("x"), MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), 1, changed_by="anna")
ROWS: tuple[Any, ...] = (
    mentor(),
    activity("a", 1),
    training("t", "basic", 1),
    pause("p", 1),
    AWARD,
)
PUBLISHED: dict[type, str] = {
    Mentor: "id organization_id active",
    Activity: "id peer_mentor_id activity_type activity_date duration_minutes",
    TrainingCompletion: "id peer_mentor_id course_code completed_on",
    Pause: "id peer_mentor_id starts_on ends_on",
    Award: "id peer_mentor_id badge_definition_id earned_at definition_version tier tier_earned_at "
    "awarded_by revoked_by changed_by",
}
COLUMNS = [(row, column) for row in ROWS for column in PUBLISHED[type(row)].split()]


def without(row: Any, column: str, op: str = "c") -> bytes:
    columns = json.loads(value(row, op, commit=1))
    del columns[column]
    return json.dumps(columns).encode()


def empty() -> Partition:
    return begun(organization(), TWO, number=3)


def broken(state: Partition, *records: Record, waiting: bool = True) -> LogBroken:
    with pytest.raises(LogBroken) as caught:
        state.fold(records, waiting=waiting)
    return caught.value


@pytest.mark.parametrize(("row", "column"), COLUMNS)
@pytest.mark.parametrize("waiting", [True, False])
def test_a_row_that_lacks_a_published_column_breaks_the_log(
    writer: Writer, row: Any, column: str, waiting: bool
) -> None:
    first = writer.put(mentor())
    error = broken(
        empty(),
        first,
        writer.raw(without(row, column)),
        waiting=waiting,
    )

    assert error.kind == "column_missing"
    table = TABLE_OF[type(row)]
    assert f"offset 1 of partition 3: a row of {table} without its column {column}," in str(error)


@pytest.mark.parametrize(("row", "column"), COLUMNS)
def test_a_delete_that_lacks_one_breaks_it_as_well(writer: Writer, row: Any, column: str) -> None:
    error = broken(empty(), writer.raw(without(row, column, "d")))

    of_mentor = column == ("id" if isinstance(row, Mentor) else "peer_mentor_id")
    assert error.kind == ("mentor_missing" if of_mentor else "column_missing")


@pytest.mark.parametrize(
    ("row", "column"),
    [(row, name) for row, name in COLUMNS if getattr(row, name) is None or name == "active"],
)
def test_a_null_is_a_null(writer: Writer, row: Any, column: str) -> None:
    text = json.loads(value(row, "c", commit=1)) | {column: None}

    assert empty().fold([writer.raw(json.dumps(text).encode())], waiting=False) is None


def test_a_column_is_needed_from_where_a_generation_publishes_it(writer: Writer) -> None:
    columns = {"mentor_pauses": ("id", "peer_mentor_id", "starts_on", "ends_on", "reason")}
    state = Partition("log", 0, 0, columns)
    text = value(pause("p", 1), "c", commit=1).replace(b'"starts_on": 1', b'"starts_on": "x"')

    assert broken(state, writer.raw(text)).kind == "column_missing"
    older = empty()
    assert older.fold([writer.raw(text)]) is None
    assert len(older.close_turn()[1]) == 1


def test_what_somebody_else_wrote_into_the_topic_is_a_dead_letter(writer: Writer) -> None:
    texts = (b'{"__table": "activities", "__op": "d"}', b'{"__table": "activities"}', b"[]", b"")
    state = empty()

    assert state.fold([writer.raw(text) for text in texts]) is None
    assert len(state.close_turn()[1]) == len(texts)


@pytest.mark.parametrize("row", ROWS[1:], ids=lambda row: TABLE_OF[type(row)])
@pytest.mark.parametrize("said", ["", None])
def test_a_delete_without_its_mentor_is_never_passed_over(
    writer: Writer, row: Any, said: str | None
) -> None:
    text = json.loads(value(row, "d", commit=1)) | {"peer_mentor_id": said}
    error = broken(empty(), writer.raw(json.dumps(text).encode()))

    assert error.kind == "mentor_missing"
    assert f"offset 0 of partition 3: a row of {TABLE_OF[type(row)]}" in str(error)


@pytest.mark.parametrize("row", ROWS, ids=lambda row: TABLE_OF[type(row)])
def test_a_delete_under_another_key_is_never_passed_over(writer: Writer, row: Any) -> None:
    elsewhere = writer.log.append(0, b"someone else", value(row, "d", commit=1))

    assert broken(empty(), elsewhere).kind == "mentor_missing"


STAND_INS = [
    (activity("a", 1, "v" * 200), "activity_type"),
    (training("t", "c" * 3000, 1), "course_code"),
    (mentor(), "organization_id"),
    (AWARD, "badge_definition_id"),
    (msgspec.structs.replace(AWARD, tier="t" * 3000, tier_earned_at=AWARD.earned_at), "tier"),
    (AWARD, "awarded_by"),
    (msgspec.structs.replace(AWARD, revoked_by="r" * 3000), "revoked_by"),
    (msgspec.structs.replace(AWARD, changed_by="anna" * 1000, awarded_by="bo"), "changed_by"),
]


@pytest.mark.parametrize(("row", "column"), STAND_INS)
@pytest.mark.parametrize("waiting", [True, False])
def test_a_stand_in_that_nobody_knows_never_becomes_data(
    writer: Writer, row: Any, column: str, waiting: bool
) -> None:
    updated = writer.put(msgspec.structs.replace(row, **{column: UNAVAILABLE}), "u")
    error = broken(empty(), updated, waiting=waiting)

    assert error.kind == "value_missing"
    table = TABLE_OF[type(row)]
    assert f"offset 0 of partition 3: {column} of {table} {row.id} is too long" in str(error)


@pytest.mark.parametrize(("row", "column"), [pair for pair in STAND_INS if pair[1] != "awarded_by"])
def test_a_stand_in_of_a_row_that_is_known_is_what_it_was(
    writer: Writer, row: Any, column: str
) -> None:
    state = empty()
    known = writer.put(row)
    assert state.fold([known], waiting=False) is None
    before = state.mentors[MENTOR].ledger
    held, kept, courses = dict(before.held), before.mentor, dict(before.trainings)

    updated = writer.put(msgspec.structs.replace(row, **{column: UNAVAILABLE}), "u")

    assert state.fold([updated], waiting=False) is None
    after = state.mentors[MENTOR].ledger
    assert (after.mentor, after.trainings) == (kept, courses)
    assert [bare(award) for award in after.held.values()] == [bare(a) for a in held.values()]
    if isinstance(row, Activity):
        assert after.activity_type(row.id) == row.activity_type


def bare(award: Award) -> Award:
    return msgspec.structs.replace(award, changed_in=None)


def test_a_short_word_is_never_left_out_of_an_update(writer: Writer) -> None:
    state = empty()
    assert state.fold([writer.put(AWARD)], waiting=False) is None

    updated = writer.put(msgspec.structs.replace(AWARD, awarded_by=UNAVAILABLE), "u")

    assert broken(state, updated).kind == "value_missing"


OURS = "not sent 0123456789abcdef0123456789abcdef"
TEXTS = [
    (activity("a", 1), "activity_type"),
    (training("t", "c", 1), "course_code"),
    (AWARD, "awarded_by"),
    (msgspec.structs.replace(AWARD, revoked_by="r"), "revoked_by"),
]


@pytest.mark.parametrize(("row", "column"), TEXTS)
@pytest.mark.parametrize("text", [UNAVAILABLE, OURS[:-1], OURS + "0", "not sent"])
@pytest.mark.parametrize("op", ["r", "c", "u"])
def test_what_somebody_wrote_is_data_where_something_else_stands_for_texts(
    writer: Writer, row: Any, column: str, text: str, op: str
) -> None:
    state = Partition("log", 3, 2 if op == "r" else 0, stand_in=OURS)
    two = definition("two", {"type": "threshold", "metric": "count", "at_least": 2})
    apply_to_all(state, [organization(), two])
    rows = (mentor(), msgspec.structs.replace(row, **{column: text}))
    records = [writer.snapshot(each) if op == "r" else writer.put(each, op) for each in rows]

    assert state.fold(records, waiting=False) is None

    assert not state.close_turn()[1]
    ledger = state.mentors[MENTOR].ledger
    if isinstance(row, Activity):
        assert ledger.activity_type(row.id) == text
    elif isinstance(row, TrainingCompletion):
        assert ledger.course(row.id) == text
    else:
        assert getattr(ledger.held["two"], column) == text


@pytest.mark.parametrize(("row", "column"), TEXTS)
def test_what_stands_for_texts_is_none_of_them(writer: Writer, row: Any, column: str) -> None:
    state = Partition("log", 3, 0, stand_in=OURS)
    updated = msgspec.structs.replace(row, **{column: OURS})
    records = [writer.put(mentor()), writer.put(updated, "u")]

    assert broken(state, *records, waiting=False).kind == "value_missing"


def test_a_text_that_was_not_sent_comes_back_with_the_row_that_cannot_be_used(
    writer: Writer,
) -> None:
    state = Partition("log", 3, 0, stand_in=OURS)
    apply_to_all(state, [organization()])
    long = activity("a", 1, "v" * 3000)
    short = msgspec.structs.replace(long, activity_type=OURS)
    records = [writer.put(mentor()), writer.put(long)]
    records.append(writer.unusable(short, {"activity_date": "never"}, "u"))
    assert state.fold(records, waiting=False) is None
    assert len(state.close_turn()[1]) == 1

    assert state.fold([writer.put(short, "u")], waiting=False) is None

    assert state.mentors[MENTOR].ledger.activity_type("a") == ("v" * 3000)[:200]
