"""The evaluator's fingerprint: what changes it, what does not, and who is told that it changed."""

import ast
import asyncio
import re

import pytest

from streams import evaluator
from streams.evaluator_change import tell_of_change
from streams.partition import Partition
from tests.doubles.memory_alerts import MemoryAlerts
from tests.doubles.memory_sink import MemorySink
from tests.stack import ROOT
from tests.unit.partitions import begun

CARRY_ALONE = {"sinks/base.py", "streams/errors.py", "streams/evaluator.py"}
"""What a partition imports and is no part of what decides."""

DECIDING = "def spread(a, *, b=None):\n    return {**a, 'b': [b, -1, 2.5, True]}\n"


def plain(source: str) -> str:
    return evaluator._plain(ast.parse(source))


def test_what_is_said_about_the_code_does_not_count() -> None:
    said = '"""A file."""\n\n' + DECIDING.replace("):\n", "):  # why\n    '''Spread.'''\n\n")
    assert said != DECIDING
    assert plain(said) == plain(DECIDING)


@pytest.mark.parametrize(
    ("before", "after"),
    [("-1", "1"), ("2.5", "2"), ("True", "1"), ("None", "0"), ("**a", "'a': a")],
)
def test_what_the_code_does_counts(before: str, after: str) -> None:
    assert plain(DECIDING.replace(before, after)) != plain(DECIDING)


def test_the_fields_that_newer_versions_of_python_give_nodes_do_not_count() -> None:
    newer = ast.parse(DECIDING)
    newer.body[0].type_params = []  # type: ignore[attr-defined]
    newer.body[0].type_comment = None  # type: ignore[attr-defined]
    assert evaluator._plain(newer) == plain(DECIDING)


def imported_by(path: str) -> set[str]:
    """All files of sinks/, streams/ and tables/ that a file imports, and those that they do."""
    found: set[str] = set()
    waiting = [path]
    while waiting:
        source = (ROOT / waiting.pop()).read_text()
        for package, name in re.findall(r"^from ([\w.]+) import (\w+)", source, re.MULTILINE):
            folder = package.replace(".", "/")
            for each in (f"{folder}.py", f"{folder}/{name}.py"):
                if not (ROOT / each).is_file() or each in found:
                    continue
                found.add(each)
                if each not in CARRY_ALONE:
                    waiting.append(each)
    return found


def test_all_that_decides_counts() -> None:
    """Whoever gives the partition another part has to say whether that decides."""
    counted = {name for name, _ in evaluator._sources()}
    imported = imported_by("streams/partition.py")
    assert {"streams/dedup.py", "tables/measures/best_window.py"} <= imported
    assert imported - counted == CARRY_ALONE


def told_of(state: Partition, before: str | None) -> list[str]:
    """The alerts that a worker opens which takes up a partition that another one has decided."""
    sink, alerts = MemorySink(), MemoryAlerts()
    if before is not None:
        sink._evaluators[state.log_id, state.number] = before

    async def take_up() -> None:
        await tell_of_change(sink, alerts, state)
        await tell_of_change(sink, alerts, state)

    asyncio.run(take_up())
    return [f"{alert.kind} {alert.detail['before']}" for alert in alerts.alerts]


def test_who_takes_up_what_another_evaluator_decided_is_told_once() -> None:
    state = begun()
    turn, _ = state.close_turn()
    assert turn.evaluator == evaluator.FINGERPRINT
    assert told_of(state, "another") == ["evaluator_changed another"]
    assert told_of(state, evaluator.FINGERPRINT) == []


def test_where_nobody_knows_or_nothing_is_decided_nobody_is_told() -> None:
    assert told_of(begun(), "another") == []
    state = begun()
    state.close_turn()
    assert told_of(state, None) == []
