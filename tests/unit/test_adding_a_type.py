"""A type of criteria is one file: one is added here, and all of them have what belongs to one."""

import json
import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reference.reading import READINGS
from schema import migrations
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.criteria.schema import json_schema
from tables.criteria.standing import Standing
from tables.criteria.union import TYPES
from tests.builders import (
    MENTOR,
    ExampleTeller,
    Happening,
    Put,
    Took,
    activity,
    day,
    definition,
    mentor,
    organization,
)
from tests.explain import explain
from tests.seeds import seeds
from tests.unit import active_periods
from tests.unit.active_periods import ActivePeriods, active_periods_on
from tests.unit.stories import Fold, compare_told, told

DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "adding-a-criteria-type.md").read_text(encoding="utf-8")
CRITERIA = (DOCS / "criteria.md").read_text(encoding="utf-8")
NAME = "active_periods"


@pytest.fixture
def added(monkeypatch: pytest.MonkeyPatch) -> None:
    """The line in the union, and the line in the reference."""
    monkeypatch.setitem(TYPES, NAME, ActivePeriods)
    monkeypatch.setitem(READINGS, NAME, active_periods_on)


@pytest.fixture(params=TYPES)
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def written(example: Any) -> str:
    return json.dumps({"version": 1, **example})


def blocks() -> Iterator[str]:
    """The Python of the page."""
    yield from re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)


def test_the_page_shows_the_code_that_is_run_here() -> None:
    source = Path(active_periods.__file__).read_text(encoding="utf-8")
    found = list(blocks())
    assert len(found) == 2
    assert all(block.strip() in source for block in found)


@pytest.mark.usefixtures("added")
def test_it_is_read_and_said_and_in_the_schema() -> None:
    said = [parse(written(example)).summary() for example in ActivePeriods.examples]
    assert said == ["2 weeks with 1 active day", "2 months with 3 active days"]
    assert all(sentence in PAGE for sentence in said)
    assert {"$ref": "#/$defs/ActivePeriods"} in json_schema()["$defs"]["Part"]["oneOf"]


@pytest.mark.usefixtures("added")
@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ({"at_least": 0}, "$.of[0].at_least: expected an integer from 1 to 1,000,000, found 0"),
        ({"per_period": 8}, "$.of[0].per_period: expected an integer from 1 to 7"),
        ({"per_perod": 2}, 'did you mean "per_period"?'),
        ({"period": "wek"}, 'did you mean "week"?'),
        ({"type": "active_period"}, 'did you mean "active_periods"?'),
    ],
)
def test_what_is_wrong_with_it_is_said(keys: dict[str, Any], expected: str) -> None:
    part = {"type": NAME, "period": "week", "at_least": 2, **keys}
    with pytest.raises(InvalidCriteria) as raised:
        parse(written({"type": "all", "of": [part]}))
    assert expected in str(raised.value)


@pytest.mark.usefixtures("added")
def test_it_is_granted_and_explained() -> None:
    criteria = {"type": NAME, "period": "month", "at_least": 2, "per_period": 2}
    days = ["2026-01-31", "2026-01-05", "2026-03-02", "2026-05-01", "2026-03-09"]
    rules = Took((organization(), definition("a", criteria)))
    story: list[Happening] = [rules, Put(mentor()), *(Put(activity(on, on)) for on in days)]
    assert told(*story)["a"].earned_on == day("2026-03-09")
    standing = _standing(*story[:-1])
    assert (standing.done, standing.missing) == (1, "another 1 month with 2 active days")


def _standing(*story: Happening) -> Standing:
    fold = Fold()
    for happening in story:
        fold.live(happening)
    assert fold.ledger.mentor_id == MENTOR
    return explain(fold.ledger, fold.book)["a"]


@pytest.mark.usefixtures("added")
@settings(max_examples=len(seeds(80)), deadline=None, suppress_health_check=list(HealthCheck))
@given(random=st.randoms(use_true_random=False), length=st.integers(0, 40))
def test_fold_and_reference_agree_about_it(random: Random, length: int) -> None:
    """Alone, and within `all` and `any`, as stories apply whatever the union has."""
    compare_told(random, length)
    compare_told(random, length, partial(ExampleTeller, kind=NAME))


@pytest.mark.usefixtures("added")
def test_stories_tell_of_it() -> None:
    assert _is_granted(NAME)


def test_a_type_has_its_reading(kind: str) -> None:
    assert (kind in READINGS) != TYPES[kind].by_hand, "reference/reading.py has no reading"


MEASURED = {
    name
    for each in migrations.load()
    for name in re.findall(r"FUNCTION badges_private\.measure_(\w+)\(", each.sql)
}
"""The types that SQL measures."""


def test_a_type_is_measured_in_sql(kind: str) -> None:
    assert (kind in MEASURED) != TYPES[kind].by_hand, "no migration has its function"


def test_nothing_is_read_or_measured_that_is_no_type() -> None:
    assert set(TYPES) >= MEASURED
    assert set(READINGS) <= set(TYPES)


def test_a_type_has_examples_that_are_valid_and_documented(kind: str) -> None:
    assert TYPES[kind].examples, "an example is what documentation and stories are made of"
    for example in TYPES[kind].examples:
        assert example["type"] == kind
        row = f"| `{written(example)}` | {parse(written(example)).summary()} |"
        assert row in CRITERIA, f"docs/criteria.md lacks the example: {row}"


def test_a_type_is_in_the_table_of_types(kind: str) -> None:
    table = CRITERIA.partition("## Types")[2].partition("## ")[0]
    first_cells = re.findall(r"^\| (.+?) \|", table, re.MULTILINE)
    explained = any(f"`{kind}`" in cell for cell in first_cells)
    assert explained, f"docs/criteria.md does not explain {kind}"


def test_examples_come_true_in_stories_on_which_fold_and_reference_agree(kind: str) -> None:
    assert _is_granted(kind) != TYPES[kind].by_hand


def _is_granted(kind: str) -> bool:
    """Whether the rule gives a badge for criteria of a type in some of some stories."""
    tellers: list[ExampleTeller] = []

    def teller(random: Random) -> ExampleTeller:
        tellers.append(ExampleTeller(random, kind))
        return tellers[-1]

    for seed in range(25):
        fold = compare_told(Random(f"{kind} {seed}"), 60, teller)
        if any(
            decision.kind == "granted"
            and (decision.after.badge_definition_id, decision.definition_version)
            in tellers[-1].saved
            for decision in fold.decisions
        ):
            return True
    return False
