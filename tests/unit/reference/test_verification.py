"""Verification finds what is wrong: logs written by hand, and tables that agree or do not."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

import msgspec.structs
import pytest

from reference.partition import mentors_in
from reference.reference import Reference
from reference.results import AwardEvent, Results
from reference.verification import Mismatch, compare
from streams.log.debezium import UNREADABLE, stream_order
from streams.records import decode
from tables.decisions import Cause
from tables.types import (
    Activity,
    AppliedVersion,
    Award,
    DefinitionVersion,
    Mentor,
    OrganizationVersion,
    Version,
    rule_key,
)
from tests.builders import MENTOR, award_id, generation
from tests.doubles.memory_log import Record
from tests.records import value

LOG, HOME, BADGE, TIERED = "log", "home", "badge", "tiered"
SAVED = datetime(2026, 1, 1, tzinfo=UTC)
THREE = '{"version": 1, "type": "threshold", "metric": "count", "at_least": 3}'
TIERS = (
    '{"version": 1, "type": "tier", "metric": "count", "tiers": '
    '[{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 3}]}'
)
ROW = Mentor(MENTOR, HOME, True)


def day(text: str) -> int:
    return date.fromisoformat(text).toordinal() - 719163


def visit(number: int, on: str) -> Activity:
    return Activity(f"visit-{number}", MENTOR, "visit", day(on), 30)


VISITS = [visit(n, f"2026-03-0{n}") for n in (1, 2, 3, 4)]


def definition(key: str, criteria: str, version: int = 1, **more: Any) -> DefinitionVersion:
    return DefinitionVersion(
        key, version, SAVED, False, key=key, criteria=criteria, status="active", **more
    )


@dataclass
class Written:
    """A log of one partition that is being written, and versions applied while it was."""

    start: int = 0
    records: list[Record] = field(default_factory=list)
    applied: list[AppliedVersion] = field(default_factory=list)
    versions: dict[tuple[str, str], list[Version]] = field(default_factory=dict)
    turn: int = 0
    commit: int = 1000

    def rows(self, *rows: Any, op: str = "c") -> "Written":
        """Rows, each a transaction of its own."""
        for row in rows:
            self.commit += 10
            lsn = self.commit
            self._append(value(row, op, lsn=lsn, commit=None if op == "r" else lsn))
        return self

    def again(self, offset: int) -> "Written":
        """A record that is sent once more."""
        self._append(self.records[offset].value)
        return self

    def garbage(self, text: bytes) -> "Written":
        """A record that nobody can read."""
        self._append(text)
        return self

    def apply(self, *versions: Version) -> "Written":
        """Versions that take effect here."""
        for version in versions:
            key = rule_key(version)
            self.versions.setdefault(key, []).append(version)
            offset = len(self.records)
            self.applied.append(AppliedVersion(0, self.turn, offset, *key, version.version))
        self.turn += 1
        return self

    def _append(self, text: bytes | None) -> None:
        self.records.append(Record(len(self.records), 0, None, text))

    def results(self, upto: int | None = None) -> Results:
        """What Postgres has, when there are no results at all."""
        log = generation(starts=(self.start,))
        end = len(self.records) if upto is None else upto
        return Results(log, {0: end}, self.applied, self.versions, [], [], [])


def rules(log: Written, *definitions: DefinitionVersion) -> Written:
    return log.apply(OrganizationVersion(HOME, 1, SAVED, "Europe/Oslo"), *definitions)


def mentors_of(log: Written, upto: int | None = None) -> dict[str, Reference]:
    return mentors_in(log.results(upto), 0, log.records)


def as_it_should_be(log: Written, upto: int | None = None) -> Results:
    """The tables just as the reference wants them."""
    mentors = mentors_of(log, upto)
    awards = [award for reference in mentors.values() for award in reference.awards.values()]
    events = [AwardEvent(award.id, "granted", award.tier) for award in awards] + [
        AwardEvent(award.id, "revoked", award.tier) for award in awards if award.revoked_by
    ]
    stats = [r.stats() for r in mentors.values() if MENTOR in r.rows[Mentor]]
    return replace(log.results(upto), awards=awards, events=events, stats=stats)


def mismatches(log: Written, found: Results) -> list[Mismatch]:
    return list(compare(found, mentors_in(found, 0, log.records)))


def held(log: Written, badge: str = BADGE) -> Award | None:
    return mentors_of(log)[MENTOR].awards.get(badge)


@pytest.fixture
def log() -> Written:
    made = rules(Written(), definition(BADGE, THREE), definition(TIERED, TIERS))
    return made.rows(ROW, *VISITS[:3])


def test_tables_that_agree_with_the_log_have_no_mismatches(log: Written) -> None:
    found = as_it_should_be(log)

    assert {award.badge_definition_id for award in found.awards} == {BADGE, TIERED}
    assert mismatches(log, found) == []


def test_the_award_is_what_the_contract_says_to_the_last_column(log: Written) -> None:
    award = held(log, TIERED)

    assert award == Award(
        id=Cause(LOG, 0, 1).award_id(MENTOR, TIERED),
        peer_mentor_id=MENTOR,
        badge_definition_id=TIERED,
        earned_at=datetime(2026, 2, 28, 23, tzinfo=UTC),
        definition_version=1,
        tier="silver",
        tier_earned_at=datetime(2026, 3, 2, 23, tzinfo=UTC),
        earned_on=day("2026-03-01"),
        tier_earned_on=day("2026-03-03"),
        tier_version=1,
    )


@pytest.mark.parametrize(
    ("column", "wrong"),
    [
        ("earned_at", datetime(2026, 3, 3, 23, tzinfo=UTC)),
        ("earned_on", day("2026-03-04")),
        ("tier", "bronze"),
        ("tier_earned_at", datetime(2026, 3, 1, 23, tzinfo=UTC)),
        ("tier_earned_on", day("2026-03-02")),
        ("revoked_by", "rule"),
        ("awarded_by", "somebody"),
        ("definition_version", 2),
        ("changed_by", "somebody"),
    ],
)
def test_a_wrong_column_is_named(log: Written, column: str, wrong: object) -> None:
    found = as_it_should_be(log)
    right = next(award for award in found.awards if award.badge_definition_id == TIERED)
    others = [award for award in found.awards if award is not right]
    bad = msgspec.structs.replace(right, **{column: wrong})

    named = mismatches(log, replace(found, awards=[bad, *others]))

    assert (
        Mismatch(MENTOR, TIERED, column, str(getattr(right, column) or "nothing"), str(wrong))
        in named
    )


def test_an_award_that_is_missing_and_one_too_many_are_named(log: Written) -> None:
    found = as_it_should_be(log)
    awarded = [award for award in found.awards if award.badge_definition_id == BADGE]
    stray = msgspec.structs.replace(awarded[0], badge_definition_id="stray", id="stray")
    events = [*found.events, AwardEvent("stray", "granted", None)]

    named = mismatches(log, replace(found, awards=[awarded[0], stray], events=events))

    assert [(each.badge, each.what) for each in named] == [("stray", "award"), (TIERED, "award")]
    assert named[0].expected == named[1].found == "no row"


def test_wrong_stats_and_missing_stats_are_named(log: Written) -> None:
    found = as_it_should_be(log)
    wrong = msgspec.structs.replace(found.stats[0], week_streak_longest=7)

    named = mismatches(log, replace(found, stats=[wrong]))
    missing = mismatches(log, replace(found, stats=[]))

    assert named == [Mismatch(MENTOR, "", "stats.week_streak_longest", "2", "7")]
    assert missing == [Mismatch(MENTOR, "", "stats", "3 activities", "no row")]


@pytest.mark.parametrize(
    ("kinds", "what"),
    [
        ([], "granted events"),
        ([("granted", "silver"), ("granted", "silver")], "granted events"),
        ([("granted", "silver"), ("revoked", "silver")], "last event"),
        ([("granted", "bronze")], "tier of the last event"),
    ],
)
def test_events_that_contradict_the_award_are_named(
    log: Written, kinds: Sequence[tuple[str, str]], what: str
) -> None:
    found = as_it_should_be(log)
    tiered = next(award for award in found.awards if award.badge_definition_id == TIERED)
    others = [event for event in found.events if event.badge_award_id != tiered.id]
    told = [AwardEvent(tiered.id, kind, tier) for kind, tier in kinds]

    named = mismatches(log, replace(found, events=[*others, *told]))

    assert [(each.badge, each.what) for each in named] == [(TIERED, what)]


def test_a_promotion_then_a_restoration_is_a_held_award(log: Written) -> None:
    found = as_it_should_be(log)
    tiered = next(award for award in found.awards if award.badge_definition_id == TIERED)
    others = [event for event in found.events if event.badge_award_id != tiered.id]
    story = [("granted", "bronze"), ("revoked", "bronze"), ("restored", "bronze")]
    told = [AwardEvent(tiered.id, *each) for each in [*story, ("promoted", "silver")]]

    assert mismatches(log, replace(found, events=[*others, *told])) == []


def test_a_record_that_is_sent_again_does_not_count_twice() -> None:
    log = rules(Written(), definition(BADGE, THREE)).rows(ROW, VISITS[0], VISITS[1])
    log.rows(VISITS[1], op="d").again(1).again(2)

    assert held(log) is None
    assert mentors_of(log)[MENTOR].stats().activity_count == 1


@pytest.mark.parametrize(
    "text",
    [
        b"{",
        value(VISITS[3], "c").replace(b"visit-4", b"\xff"),
        value(VISITS[3], "c", commit=1).replace(b'\\"1\\"', b'\\"one\\"'),
    ],
    ids=["no JSON", "no UTF-8", "no place in the log"],
)
def test_what_cannot_be_read_is_passed_over(text: bytes) -> None:
    log = rules(Written(), definition(BADGE, THREE)).rows(ROW).garbage(text).rows(*VISITS[:3])

    with pytest.raises(UNREADABLE):
        stream_order(decode(text).sequence)

    assert held(log) is not None


def test_what_is_about_an_id_that_postgres_has_not_is_passed_over() -> None:
    given = Award("found", MENTOR, BADGE, SAVED, awarded_by="Anna", changed_by="Anna")
    theirs = msgspec.structs.replace(VISITS[0], peer_mentor_id="mentor")
    log = rules(Written(), definition(BADGE, THREE)).rows(ROW, Mentor("mentor", HOME, True))
    log.rows(given, theirs).rows(theirs, op="d")

    assert held(log) is None
    assert set(mentors_of(log)) == {MENTOR}


def test_rows_before_the_start_are_one_event_and_awards_are_held_as_found() -> None:
    given = Award(award_id("found"), MENTOR, BADGE, SAVED, awarded_by="Anna", changed_by="rule")
    log = Written(start=6).rows(*VISITS, given, ROW, op="r")
    rules(log, definition(BADGE, THREE), definition(TIERED, TIERS))

    reference = mentors_of(log)[MENTOR]

    assert reference.awards[BADGE].earned_at == SAVED
    assert reference.awards[TIERED].tier == "silver"
    assert [event.kind for event in reference.events] == ["granted"]
    assert reference.awards[TIERED].id == Cause(LOG, 0, 6, 0).award_id(MENTOR, TIERED)


def test_what_the_worker_wrote_after_the_start_is_no_cause(log: Written) -> None:
    award = held(log)
    assert award is not None
    wrong = msgspec.structs.replace(award, earned_at=SAVED, changed_by="rule")
    log.rows(wrong, op="u")

    assert held(log) == award


def test_what_a_person_wrote_is_believed(log: Written) -> None:
    award = held(log)
    assert award is not None
    taken = msgspec.structs.replace(award, revoked_by="Anna", changed_by="Anna")
    log.rows(taken, op="u").rows(VISITS[3])

    assert held(log) == msgspec.structs.replace(taken, changed_in=700)


def test_an_award_that_somebody_deleted_comes_back_under_a_new_id(log: Written) -> None:
    award = held(log)
    assert award is not None
    log.rows(award, op="d")

    back = held(log)

    assert back is not None
    assert back.id == Cause(LOG, 0, len(log.records) - 1).award_id(MENTOR, BADGE) != award.id


def test_a_version_takes_effect_where_it_is_recorded() -> None:
    log = rules(Written()).rows(ROW, *VISITS[:3])
    log.apply(definition(BADGE, THREE)).rows(VISITS[3])

    award = held(log)

    assert award is not None
    assert award.id == Cause(LOG, 0, 4, 1).award_id(MENTOR, BADGE)
    assert award.earned_at == datetime(2026, 3, 2, 23, tzinfo=UTC)


def test_versions_that_nobody_took_up_have_no_effect() -> None:
    log = rules(Written()).rows(ROW, *VISITS)
    log.versions["definition", BADGE] = [definition(BADGE, THREE)]

    assert held(log) is None


def test_records_above_the_position_are_not_judged(log: Written) -> None:
    before = as_it_should_be(log)
    log.rows(VISITS[3]).rows(VISITS[0], op="d")

    assert mismatches(log, replace(before, next_offsets={0: 4})) == []
    assert mismatches(log, replace(before, next_offsets={0: 6})) != []


def test_a_mentor_who_is_gone_has_nothing(log: Written) -> None:
    before = as_it_should_be(log)
    log.rows(ROW, op="d").rows(*VISITS[:3], op="d")
    gone = replace(before, next_offsets={0: len(log.records)})

    assert {each.what for each in mismatches(log, gone)} == {"award", "stats"}
    assert mismatches(log, replace(gone, awards=[], events=[], stats=[])) == []
