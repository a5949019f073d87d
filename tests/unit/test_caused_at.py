"""Each decision says when the row that caused it was committed."""

import pytest

from streams.partition import Partition
from tests.builders import activity, definition, mentor, organization
from tests.records import COMMITTED, Writer
from tests.unit.partitions import apply_to_all, begun, folded

CRITERIA = {"type": "threshold", "metric": "count", "at_least": 2}
TWO = definition("two", CRITERIA)
ROWS = (mentor(), activity("a", 1), activity("b", 2))


def test_what_a_row_caused_carries_the_time_of_its_commit(writer: Writer) -> None:
    (granted,) = folded(begun(organization(), TWO), *(writer.put(row) for row in ROWS)).decisions
    assert granted.caused_at == COMMITTED


def test_a_row_that_nobody_can_use_causes_what_its_absence_does(writer: Writer) -> None:
    state = begun(organization(), definition("two", CRITERIA, revocable=True))
    folded(state, *(writer.put(row) for row in ROWS))
    (revoked,) = folded(state, writer.unusable(ROWS[2], {"duration_minutes": -1})).decisions
    assert (revoked.kind, revoked.caused_at) == ("revoked", COMMITTED)


def test_what_no_row_caused_has_none(writer: Writer) -> None:
    state = Partition("log", 0, start=3)
    assert state.fold([writer.snapshot(row) for row in ROWS]) is None
    apply_to_all(state, [organization(), TWO])
    (granted,) = state.close_turn()[0].decisions
    assert (granted.cause.source, granted.caused_at) == ("replay", None)


@pytest.mark.parametrize(
    "said", [None, "soon", -1, 10**20], ids=["nothing", "a text", "before 1970", "after 9999"]
)
def test_a_commit_time_that_is_none_stops_nothing(writer: Writer, said: object) -> None:
    records = [writer.unusable(row, {"__source_ts_ms": said}, op="c") for row in ROWS]
    (granted,) = folded(begun(organization(), TWO), *records).decisions
    assert granted.caused_at is None
