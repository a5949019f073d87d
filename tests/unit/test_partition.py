"""A partition's state, folded from records as Kafka Connect writes them."""

from datetime import UTC, datetime

import msgspec.structs
import pytest

from streams.errors import LogBroken
from streams.partition import Partition
from streams.records import FIRST_DAY, LAST_DAY, MentorRecord, PauseRecord, decode
from tables.types import Activity, Award, Mentor, Pause
from tests.builders import (
    MENTOR,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    activity,
    award_id,
    definition,
    mentor,
    organization,
)
from tests.records import Writer, moved, value
from tests.unit.partitions import apply_to_all, begun, folded, kinds

BEFORE_ALL_DAYS, AFTER_ALL_DAYS = -2_147_472_691, 2_146_033_979
"""What Debezium sends for the dates -infinity and infinity."""

OTHER = f"{MENTOR[:-1]}1"
TWO = definition("two", {"type": "threshold", "metric": "count", "at_least": 2})


def test_the_row_that_reaches_the_threshold_is_the_cause(writer: Writer) -> None:
    records = [writer.put(mentor()), writer.put(activity("a", "2026-03-01"))]
    last = writer.put(activity("b", "2026-02-01"))
    turn = folded(begun(organization(), TWO), *records, last)
    (granted,) = turn.decisions
    assert (granted.cause.offset, granted.cause.turn) == (last.offset, None)
    assert granted.after.earned_at == datetime(2026, 2, 28, 23, tzinfo=UTC)
    assert (turn.start, turn.end, turn.number) == (0, 3, 0)
    assert [stats.activity_count for stats in turn.stats] == [2]


def test_rows_before_the_start_are_decided_once_by_the_first_turn(writer: Writer) -> None:
    records = [writer.snapshot(row) for row in (activity("a", 1), activity("b", 2), mentor())]
    state = Partition("log", 0, start=3)
    assert state.fold(records) is None
    apply_to_all(state, [organization(), TWO])
    turn, _ = state.close_turn()
    assert kinds(turn) == [("granted", "two")]
    assert turn.decisions[0].cause.turn == 0
    assert turn.decisions[0].cause.source == "replay"
    assert [stats.activity_count for stats in turn.stats] == [2]


def test_awards_that_were_there_are_held_as_found(writer: Writer) -> None:
    there = Award(award_id("x"), MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), 1)
    rows = (mentor(), activity("a", 1), activity("b", 2), there)
    state = Partition("log", 0, start=4)
    state.fold([writer.snapshot(row) for row in rows])
    apply_to_all(state, [organization(), TWO])
    assert state.close_turn()[0].decisions == []
    assert state.mentors[MENTOR].ledger.held["two"].id == award_id("x")


def test_a_row_sent_again_is_passed_over(writer: Writer) -> None:
    records = [writer.put(mentor()), writer.put(activity("a", 1))]
    deleted = writer.delete(activity("a", 1))
    again = [writer.again(records[1]), writer.again(deleted)]
    state = begun(organization(), TWO)
    folded(state, *records, deleted, *again)
    assert state.mentors[MENTOR].ledger.stats().activity_count == 0
    assert state.next_offset == 5


def test_rows_of_one_place_are_all_folded(writer: Writer) -> None:
    person, first = writer.put(mentor()), writer.put(activity("a", 1))
    twin = writer.log.append(0, first.key, (first.value or b"").replace(b'"id": "a"', b'"id": "b"'))
    state = begun(organization(), TWO)
    folded(state, person, first, twin)
    assert state.mentors[MENTOR].ledger.stats().activity_count == 2


def test_what_the_worker_wrote_itself_is_passed_over(writer: Writer) -> None:
    own = Award(award_id("x"), MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), 1)
    state = begun(organization(), TWO)
    folded(state, writer.put(mentor()), writer.put(own))
    assert state.mentors[MENTOR].ledger.held == {}


def test_an_award_row_that_somebody_deletes_comes_back_under_another_id(writer: Writer) -> None:
    state = begun(organization(), TWO)
    rows = (mentor(), activity("a", 1), activity("b", 2))
    (granted,) = folded(state, *(writer.put(row) for row in rows)).decisions
    turn = folded(state, writer.delete(granted.after))
    assert kinds(turn) == [("granted", "two")]
    assert turn.decisions[0].after.id != granted.after.id


def test_a_person_revokes_and_no_row_brings_it_back(writer: Writer) -> None:
    state = begun(organization(), TWO)
    rows = (mentor(), activity("a", 1), activity("b", 2))
    (granted,) = folded(state, *(writer.put(row) for row in rows)).decisions
    revoked = msgspec.structs.replace(granted.after)
    revoked.revoked_by = revoked.changed_by = "anna"
    turn = folded(state, writer.put(revoked, "u"), writer.put(activity("c", 3)))
    assert turn.decisions == []


def test_an_award_of_the_rule_that_came_too_late_is_withdrawn(writer: Writer) -> None:
    state = begun(organization(), TWO)
    rows = (mentor(), activity("a", 1), activity("b", 2))
    (granted,) = folded(state, *(writer.put(row) for row in rows)).decisions
    by_hand = Award(award_id("x"), MENTOR, "two", granted.after.earned_at, 1, changed_by="anna")
    turn = folded(state, writer.put(by_hand), writer.delete(by_hand))
    assert kinds(turn) == [("withdrawn", "two"), ("granted", "two")]
    withdrawn, again = turn.decisions
    assert withdrawn.after.id == granted.after.id
    assert again.after.id not in (award_id("x"), granted.after.id)


def test_what_somebody_gave_is_never_withdrawn(writer: Writer) -> None:
    tiers = [{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 2}]
    state = begun(
        organization(), definition("two", {"type": "tier", "metric": "count", "tiers": tiers})
    )
    given = Award(award_id("x"), MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), 1)
    given.tier, given.tier_earned_at = "bronze", given.earned_at
    given.awarded_by = given.changed_by = "anna"
    rows = (mentor(), activity("a", 1), activity("b", 2))
    turn = folded(state, writer.put(mentor()), writer.put(given), *map(writer.put, rows[1:]))
    assert kinds(turn) == [("promoted", "two")]
    assert state.mentors[MENTOR].ledger.held["two"].changed_by == "rule"

    twice = msgspec.structs.replace(given, id=award_id("y"), tier="silver", changed_by="bo")

    assert kinds(folded(state, writer.put(twice))) == []


def test_a_mentor_of_whom_nothing_is_said_is_active(writer: Writer) -> None:
    text = (writer.put(mentor()).value or b"").replace(b'"active": true', b'"active": null')
    state = begun(organization(), TWO)
    rows = (activity("a", 1), activity("b", 2))
    turn = folded(state, writer.raw(text), *(writer.put(row) for row in rows))
    assert kinds(turn) == [("granted", "two")]


def test_a_row_from_before_the_start_that_is_sent_again_after_it_is_passed_over(
    writer: Writer,
) -> None:
    before = [writer.snapshot(mentor()), writer.put(activity("a", 1)), writer.put(activity("b", 2))]
    before.append(writer.delete(activity("a", 1)))
    state = Partition("log", 0, start=4)
    state.fold(before)
    apply_to_all(state, [organization(), TWO])
    turn = folded(state, writer.again(before[1]), writer.again(before[3]))
    assert turn.decisions == []


def test_a_turn_ends_before_an_organization_that_is_not_known(writer: Writer) -> None:
    state = begun(organization(), TWO)
    known = writer.put(mentor())
    stranger = Mentor(OTHER, OTHER_ORGANIZATION, active=True)
    unknown = writer.put(stranger)
    stopped_at = state.fold([known, unknown])
    assert isinstance(stopped_at, MentorRecord)
    assert stopped_at.id == OTHER
    assert state.close_turn()[0].end == unknown.offset
    apply_to_all(state, [organization(OTHER_ORGANIZATION)])
    turn = folded(state, unknown)
    assert (turn.start, turn.end) == (1, 2)
    assert [each.id for each in turn.applied] == [OTHER_ORGANIZATION]


def test_a_turn_ends_before_an_award_of_a_definition_that_is_not_known(writer: Writer) -> None:
    award = Award(award_id("x"), MENTOR, "new", datetime(2020, 1, 1, tzinfo=UTC), changed_by="anna")
    state = begun(organization(), TWO)
    stopped_at = state.fold([writer.put(mentor()), writer.put(award)])
    assert stopped_at is not None
    assert state.next_offset == 1


def test_a_row_is_folded_all_the_same_once_nobody_waits_for_its_rule(writer: Writer) -> None:
    state = begun(organization(), TWO)
    rows = [Mentor(MENTOR, "nowhere", active=True), activity("a", 1), activity("b", 2)]
    records = [writer.put(row) for row in rows]
    stopped_at = state.fold(records)
    assert isinstance(stopped_at, MentorRecord)
    state.give_up(stopped_at)
    (granted,) = folded(state, *records).decisions
    assert granted.after.earned_at == datetime(1970, 1, 3, tzinfo=UTC)
    again = begun(organization(), TWO)
    again.fold(records, waiting=False)
    assert again.close_turn()[0].decisions == [granted]


def test_what_is_unreadable_before_the_start_is_told_by_the_first_turn(writer: Writer) -> None:
    state = Partition("log", 0, start=1)
    state.fold([writer.raw(b"?")])
    state.resume(1, 0)
    assert [letter.offset for letter in state.close_turn()[1]] == [0]


def test_what_is_unreadable_in_later_turns_was_kept_already(writer: Writer) -> None:
    state = Partition("log", 0, start=1)
    state.fold([writer.raw(b"?")])
    state.resume(1, 1)
    assert state.close_turn()[1] == []


def test_all_rows_of_one_place_are_passed_over_when_sent_again(writer: Writer) -> None:
    person, first = writer.put(mentor()), writer.put(activity("a", 1))
    twin = writer.log.append(0, first.key, (first.value or b"").replace(b'"id": "a"', b'"id": "b"'))
    gone = [writer.delete(activity("a", 1)), writer.delete(activity("b", 1))]
    again = [writer.again(first), writer.again(twin), *map(writer.again, gone)]
    turn = folded(begun(organization(), TWO), person, first, twin, *gone, *again)
    assert [decision.cause.offset for decision in turn.decisions] == [twin.offset]


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b'{"__table": "activities", "__op": "c", "id": 5}',
        b'{"__table": "other"}',
        b"[]",
        b"[" * 5000,
        b'{"__table": "activities", "__op": "c", "id": "\xff"}',
        value(activity("z", 2**33), "c"),
        value(activity("z", 1, minutes=2**31), "c"),
        value(activity("z", 1), "c").replace(b'[null, \\"0\\"]', b'[\\"x\\", \\"y\\"]'),
    ],
)
def test_what_cannot_be_decoded_is_set_aside_and_the_next_row_is_folded(
    writer: Writer, text: bytes
) -> None:
    state = begun(organization(), TWO)
    records = [writer.put(mentor()), writer.raw(text), writer.put(activity("a", 1))]
    assert state.fold(records) is None
    turn, (letter,) = state.close_turn()
    assert (letter.offset, letter.key, letter.value) == (1, b"m", text)
    assert letter.reason
    assert turn.stats[0].activity_count == 1


@pytest.mark.parametrize(
    "row",
    [
        Award("x", MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), changed_by="anna"),
        Award(award_id("x"), "m", "two", datetime(2020, 1, 1, tzinfo=UTC), changed_by="anna"),
        Mentor("m", ORGANIZATION, active=True),
        moved(activity("a", 1), "m"),
    ],
)
def test_what_is_about_an_id_that_postgres_has_not_is_set_aside_alone(
    writer: Writer, row: Award | Mentor | Activity
) -> None:
    state = begun(organization(), TWO)
    records = [writer.put(mentor()), writer.put(row), writer.put(activity("b", 1))]
    assert state.fold([*records, writer.delete(row)]) is None
    turn, (letter,) = state.close_turn()
    assert (letter.offset, letter.reason) == (1, "an id is no UUID")
    assert set(state.mentors) == {MENTOR}
    assert [stats.activity_count for stats in turn.stats] == [1]
    assert (turn.decisions, turn.mentors_deleted) == ([], [])


def test_a_wrong_instant_in_an_award_is_set_aside(writer: Writer) -> None:
    award = Award(award_id("x"), MENTOR, "two", datetime(2020, 1, 1, tzinfo=UTC), changed_by="anna")
    text = value(award, "c").replace(b"2020-01-01T", b"infinity")
    state = begun(organization(), TWO)
    assert state.fold([writer.put(mentor()), writer.raw(text)]) is None
    assert [letter.offset for letter in state.close_turn()[1]] == [1]


@pytest.mark.parametrize(
    ("starts", "ends", "read"),
    [
        (10, AFTER_ALL_DAYS, (10, None)),
        (BEFORE_ALL_DAYS, 20, (FIRST_DAY, 20)),
        (10, BEFORE_ALL_DAYS, (10, FIRST_DAY)),
        (BEFORE_ALL_DAYS, AFTER_ALL_DAYS, (FIRST_DAY, None)),
        (AFTER_ALL_DAYS, AFTER_ALL_DAYS, (LAST_DAY, None)),
        (FIRST_DAY, LAST_DAY, (FIRST_DAY, LAST_DAY)),
    ],
)
def test_a_pause_may_begin_and_end_in_either_infinity(
    starts: int, ends: int, read: tuple[int, int | None]
) -> None:
    record = decode(value(Pause("p", MENTOR, starts, ends), "c"))
    assert isinstance(record, PauseRecord)
    assert (record.starts_on, record.ends_on) == read


def test_the_last_day_of_postgres_is_a_day(writer: Writer) -> None:
    turn = folded(
        begun(organization(), TWO), writer.put(mentor()), writer.put(activity("a", LAST_DAY))
    )
    assert turn.stats[0].last_activity_on == LAST_DAY


def test_a_deleted_mentor_departs_with_what_was_decided_before(writer: Writer) -> None:
    state = begun(organization(), TWO)
    rows = (mentor(), activity("a", 1), activity("b", 2))
    records = [writer.put(row) for row in rows]
    turn = folded(state, *records, writer.delete(mentor()))
    assert turn.decisions == []
    assert turn.stats == []
    assert [departure.peer_mentor_id for departure in turn.mentors_deleted] == [MENTOR]


def test_the_same_id_inserted_again_starts_from_nothing(writer: Writer) -> None:
    state = begun(organization(), TWO)
    before = [writer.put(row) for row in (mentor(), activity("a", 1), activity("b", 2))]
    gone = [writer.delete(row) for row in (mentor(), activity("a", 1), activity("b", 2))]
    again = [writer.put(row) for row in (mentor(), activity("c", 9), activity("d", 8))]
    turn = folded(state, *before, *gone, *again)
    assert len(turn.mentors_deleted) == 1
    (granted,) = turn.decisions
    assert granted.cause.offset == again[-1].offset
    assert turn.stats[0].activity_count == 2


def test_a_delete_never_creates_a_ledger_and_nothing_left_is_forgotten(writer: Writer) -> None:
    state = begun(organization(), TWO)
    folded(state, writer.delete(activity("a", 1)))
    assert state.mentors == {}
    folded(state, writer.put(mentor()), writer.delete(mentor()))
    assert state.mentors == {}


def test_rows_without_their_mentor_wait(writer: Writer) -> None:
    state = begun(organization(), TWO)
    early = folded(state, writer.put(activity("a", 1)), writer.put(activity("b", 2)))
    assert early.decisions == []
    assert early.stats == []
    turn = folded(state, writer.put(mentor()))
    assert kinds(turn) == [("granted", "two")]


def test_an_activity_that_moves_is_an_event_for_both(writer: Writer) -> None:
    state = begun(organization(), TWO)
    other = Mentor(OTHER, ORGANIZATION, active=True)
    row = activity("a", 1)
    folded(state, writer.put(mentor()), writer.put(other), writer.put(row))
    turn = folded(state, writer.delete(row), writer.put(moved(row, OTHER)))
    counts = {stats.peer_mentor_id: stats.activity_count for stats in turn.stats}
    assert counts == {MENTOR: 0, OTHER: 1}


def test_a_snapshot_row_after_the_start_breaks_the_log(writer: Writer) -> None:
    with pytest.raises(LogBroken) as broken:
        begun(organization(), TWO).fold([writer.snapshot(mentor())])
    assert broken.value.kind == "snapshot_row"


def test_two_snapshots_break_the_log(writer: Writer) -> None:
    state = Partition("log", 0, start=5)
    with pytest.raises(LogBroken) as broken:
        state.fold([writer.snapshot(mentor(), 10), writer.snapshot(activity("a", 1), 20)])
    assert broken.value.kind == "snapshot_row"


def test_an_empty_turn_is_recognized(writer: Writer) -> None:
    state = Partition("log", 0, 0)
    assert not state.turn_is_empty
    folded(state, writer.put(Activity("a", MENTOR, "visit", 1)))
    assert state.turn_is_empty
    apply_to_all(state, [organization()])
    assert not state.turn_is_empty


def test_a_type_that_postgres_did_not_send_again_stays(writer: Writer) -> None:
    state = begun(organization(), TWO)
    long_type = "t" * 3000
    row = activity("a", 1, long_type)
    folded(state, writer.put(mentor()), writer.put(row))
    untouched = activity("a", 2, "__debezium_unavailable_value")
    turn = folded(state, writer.put(untouched, "u"))
    assert turn.stats[0].counts_by_type == {long_type[:200]: 1}
    assert turn.stats[0].first_activity_on == 2


def test_a_streak_of_just_enough_days_counts_whatever_its_rows_weigh(writer: Writer) -> None:
    streak = definition("three", {"type": "streak", "period": "day", "length": 3})
    rows = (activity("a", 100, "z", 600), activity("b", 101, "y", 5), activity("c", 102, "x", None))
    state = begun(organization(), streak)
    turn = folded(state, writer.put(mentor()), *(writer.put(row) for row in rows))
    assert kinds(turn) == [("granted", "three")]
