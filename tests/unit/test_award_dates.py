"""The dates that awards count by: whatever the time zone becomes, and where the log has none."""

from datetime import UTC, datetime

import msgspec.structs
import pytest

from streams.partition import Partition
from streams.reconciliation import Reconciliation
from streams.records import FIRST_DAY, LAST_DAY, AwardRecord, decode
from tables.types import Award, Mentor
from tests.builders import (
    MENTOR,
    ORGANIZATION,
    OTHER_ORGANIZATION,
    Gone,
    Happening,
    Put,
    Took,
    activity,
    award_id,
    day,
    definition,
    mentor,
    organization,
)
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_log import MemoryLog
from tests.doubles.memory_sink import MemorySink
from tests.records import Writer, value
from tests.unit.chaos import at_once, run
from tests.unit.partitions import apply_to_all
from tests.unit.stories import told

SEVEN = definition("seven", {"type": "streak", "period": "day", "length": 7})
ON_IT = definition("on-it", {"type": "badges", "badges": ["seven"]})
WEEK = [Put(activity(f"r{n}", day("2026-02-04") + n)) for n in range(7)]
IN_OSLO = datetime(2026, 2, 9, 23, tzinfo=UTC)
IN_NEW_YORK = datetime(2026, 2, 10, 5, tzinfo=UTC)
TENTH, NINTH = day("2026-02-10"), day("2026-02-09")
NEW_YORK = organization(timezone="America/New_York", version=2)
ELSEWHERE = organization(OTHER_ORGANIZATION, "America/New_York")


def by_hand(**given: object) -> Award:
    row = Award(award_id("seven"), MENTOR, "seven", IN_OSLO, awarded_by="anna", changed_by="anna")
    return msgspec.structs.replace(row, **given)


@pytest.mark.parametrize(
    "gone_west",
    [
        [Took((NEW_YORK,))],
        [Took((ELSEWHERE,)), Put(mentor(organization=OTHER_ORGANIZATION))],
    ],
    ids=["the zone changes", "the mentor moves"],
)
def test_a_badge_on_another_has_its_date_whatever_the_zone_has_become(
    gone_west: list[Took | Put],
) -> None:
    begun: list[Happening] = [Took((organization(), SEVEN)), Put(mentor()), *WEEK]
    held = told(*begun, *gone_west, Took((ON_IT,)))
    seven, on_it = held["seven"], held["on-it"]
    assert (seven.earned_on, seven.earned_at) == (TENTH, IN_OSLO)
    assert (on_it.earned_on, on_it.earned_at) == (TENTH, IN_NEW_YORK)


def test_a_date_given_by_hand_counts_as_it_is() -> None:
    row = by_hand(earned_on=day("2026-01-05"), earned_at=datetime(2026, 1, 20, 12, tzinfo=UTC))
    held = told(Took((organization(), SEVEN, ON_IT)), Put(mentor()), Put(row))
    assert held["on-it"].earned_on == day("2026-01-05")


def test_a_record_without_dates_has_the_date_of_its_instant_where_it_is_decided_first() -> None:
    begun: list[Happening] = [Took((organization(), SEVEN)), Put(mentor()), Put(by_hand())]
    assert told(*begun)["seven"].day == TENTH
    moved = told(*begun, Took((NEW_YORK, ON_IT)))
    assert (moved["seven"].day, moved["seven"].earned_on) == (TENTH, None)
    assert moved["on-it"].earned_on == TENTH


def test_it_is_decided_first_when_the_mentor_is_active() -> None:
    begun: list[Happening] = [
        Took((organization(), SEVEN)),
        Put(mentor(active=False)),
        Put(by_hand()),
    ]
    held = told(*begun, Took((NEW_YORK, ON_IT)), Put(mentor()))
    assert held["on-it"].earned_on == NINTH


def test_what_a_later_record_leaves_unsaid_stays() -> None:
    begun: list[Happening] = [Took((organization(), SEVEN, ON_IT)), Put(mentor())]
    taken = Put(by_hand(revoked_by="bo"))
    for first, said in ((by_hand(), None), (by_hand(earned_on=day("2026-02-11")), 20495)):
        held = told(*begun, Put(first), Took((NEW_YORK,)), taken, Put(by_hand()))
        assert held["seven"].day == (TENTH if said is None else said)
        assert held["seven"].earned_on == said
    corrected = by_hand(earned_at=IN_NEW_YORK)
    held = told(*begun, Put(by_hand()), Took((NEW_YORK,)), Put(corrected))
    assert held["seven"].day == TENTH
    another = by_hand(id="another")
    held = told(
        *begun, Put(by_hand()), Took((NEW_YORK,)), Gone(Award, award_id("seven")), Put(another)
    )
    assert held["seven"].day == NINTH


@pytest.mark.parametrize(
    ("said", "meant"),
    [(20494, 20494), (None, None), (2_146_033_979, LAST_DAY), (-2_147_472_691, FIRST_DAY)],
)
def test_a_record_says_its_date_as_a_day(said: int | None, meant: int | None) -> None:
    text = value(by_hand(), "c").replace(
        b'"__op"', f'"earned_on": {said or "null"}, "__op"'.encode()
    )
    record = decode(text)
    assert isinstance(record, AwardRecord)
    assert record.award().earned_on == meant
    assert record.award().tier_earned_on is None


def caught_up(*awards: Award) -> Partition:
    """A partition that has found some awards before its start, and decided."""
    writer = Writer(MemoryLog())
    records = [writer.snapshot(Mentor(MENTOR, ORGANIZATION, True))]
    records += [writer.snapshot(award) for award in awards]
    state = Partition("log", 0, start=len(records))
    state.fold(records)
    apply_to_all(state, [organization(), SEVEN])
    state.close_turn()
    return state


@pytest.mark.parametrize(
    ("said", "stored", "agree"),
    [
        ({}, {"earned_on": NINTH}, True),
        ({"earned_on": TENTH}, {"earned_on": TENTH}, True),
        ({"earned_on": TENTH}, {"earned_on": NINTH}, False),
        ({}, {"earned_on": TENTH, "earned_at": IN_NEW_YORK}, False),
        ({"tier": "x"}, {"tier": "x", "earned_on": TENTH, "tier_earned_on": NINTH}, True),
        ({}, {"earned_on": TENTH, "tier_earned_on": NINTH}, False),
        (
            {"tier": "x", "tier_earned_on": TENTH},
            {"tier": "x", "earned_on": TENTH, "tier_earned_on": NINTH},
            False,
        ),
    ],
)
def test_a_date_that_the_log_does_not_say_is_no_difference(
    said: dict[str, object], stored: dict[str, object], agree: bool
) -> None:
    async def compare() -> None:
        state = caught_up(by_hand(**said))
        sink, alerts = MemorySink(), MemoryAlerts()
        sink.set_position("log", 0, state.position.next_offset, state.position.turn)
        sink.put_award(by_hand(**stored))
        reconciliation = Reconciliation(sink, alerts, at_once, at_once, state)
        for _ in range(3):  # what differs, whether the log has passed that, what still differs
            assert not alerts.alerts
            await reconciliation.look()
        assert [alert.kind for alert in alerts.alerts] == ([] if agree else ["awards_differ"])

    run(compare())
