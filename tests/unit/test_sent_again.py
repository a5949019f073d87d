"""A record that a connector sends once more counts once, whatever the rules have done since."""

from datetime import UTC, datetime

from msgspec.structs import replace

from sinks.base import Turn
from streams.partition import Partition
from tables.types import Award, DefinitionVersion
from tests.builders import MENTOR, activity, award_id, definition, mentor, organization
from tests.doubles.memory_log import MemoryLog
from tests.records import Writer
from tests.unit.partitions import apply_to_all, begun, folded, kinds


def tiers(version: int, names: dict[str, int]) -> DefinitionVersion:
    steps = [{"name": name, "at_least": level} for name, level in names.items()]
    criteria = {"type": "tier", "metric": "count", "tiers": steps}
    return definition("a", criteria, version=version, saved=version)


def one_visit(version: int, *, revocable: bool) -> DefinitionVersion:
    criteria = {"type": "threshold", "metric": "count", "at_least": 1}
    return definition("a", criteria, version=version, saved=version, revocable=revocable)


def held(state: Partition) -> Award:
    ledger = state.ledger(MENTOR)
    assert ledger is not None
    (award,) = ledger.held.values()
    return replace(award)


def take_up(state: Partition, version: DefinitionVersion) -> Turn:
    apply_to_all(state, [version])
    return state.close_turn()[0]


def test_a_tier_that_a_persons_award_was_promoted_to_keeps_its_name() -> None:
    writer = Writer(MemoryLog())
    state = begun(organization(), tiers(1, {"bronze": 1, "silver": 5}))
    visits = [activity(f"x{day}", f"2026-02-0{day}") for day in (1, 2)]
    folded(state, writer.put(mentor()), *map(writer.put, visits))
    folded(state, writer.delete(held(state)))
    folded(state, writer.delete(held(state)))
    on = datetime(2026, 2, 5, tzinfo=UTC)
    given = Award(award_id("h"), MENTOR, "a", on, 1, awarded_by="anna", changed_by="anna")
    record = writer.put(given)
    assert kinds(folded(state, record)) == [("withdrawn", "a"), ("promoted", "a")]
    assert kinds(take_up(state, tiers(2, {"bronse": 1, "silver": 5}))) == []
    before = held(state)

    assert kinds(folded(state, writer.again(record))) == []
    assert held(state) == before
    assert (before.tier, before.tier_version) == ("bronze", 1)


def test_a_revocation_that_was_put_back_stays() -> None:
    writer = Writer(MemoryLog())
    state = begun(organization(), one_visit(1, revocable=True))
    folded(state, writer.put(mentor()), writer.put(activity("x1", "2026-02-01")))
    folded(state, writer.delete(activity("x1", "2026-02-01")))
    record = writer.put(replace(held(state), revoked_by=None, changed_by="anna"), "u")
    assert kinds(folded(state, record)) == [("revoked", "a")]
    take_up(state, one_visit(2, revocable=False))
    before = held(state)

    assert kinds(folded(state, writer.again(record))) == []
    assert held(state) == before
    assert before.revoked_by == "rule"
