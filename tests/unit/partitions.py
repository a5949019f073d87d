"""A partition as most tests of it begin, and what its turns say."""

from collections.abc import Iterable

from sinks.base import Turn
from streams.partition import Partition
from tables.types import Version
from tests.doubles.memory_log import Record


def begun(*versions: Version, number: int = 0, start: int = 0) -> Partition:
    """A partition that has taken up some rules."""
    state = Partition("log", number, start)
    apply_to_all(state, versions)
    return state


def apply_to_all(state: Partition, versions: Iterable[Version]) -> None:
    """Put versions into effect before the next record, and decide every mentor by them."""
    state.apply(versions)
    state.decide(list(state.mentors))


def folded(state: Partition, *records: Record) -> Turn:
    """The turn that some records make."""
    assert state.fold(records) is None
    return state.close_turn()[0]


def kinds(turn: Turn) -> list[tuple[str, str]]:
    """What was decided, and about which badge."""
    return [(d.kind, d.after.badge_definition_id) for d in turn.decisions]
