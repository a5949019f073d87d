"""A partition as most tests of it begin, and what its turns say."""

from sinks.base import Turn
from streams.partition import Partition
from tables.types import Version
from tests.doubles.memory_log import Record


def begun(*versions: Version, number: int = 0, start: int = 0) -> Partition:
    """A partition that has taken up some rules."""
    state = Partition("log", number, start)
    state.apply_to_all(versions)
    return state


def folded(state: Partition, *records: Record) -> Turn:
    """The turn that some records make."""
    assert state.fold(records) is None
    return state.close_turn()


def kinds(turn: Turn) -> list[tuple[str, str]]:
    """What was decided, and about which badge."""
    return [(d.kind, d.after.badge_definition_id) for d in turn.decisions]
