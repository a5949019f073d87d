"""Documents as data: whoever asks is told the same of each, and told all of it."""

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from badges.cli.commands import app
from badges.queries.verdicts import judge_alone
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tests.documents import documents
from tests.verdicts import VERDICTS, text_of, verdict_of

NAMES = [case["name"] for case in VERDICTS]


def test_there_are_enough_and_each_is_another() -> None:
    assert len(set(NAMES)) == len(NAMES) >= 60
    assert 20 <= sum(case["valid"] for case in VERDICTS) <= len(VERDICTS) - 40


@pytest.mark.parametrize("case", VERDICTS, ids=NAMES)
def test_the_command_tells_the_verdict(case: dict[str, Any]) -> None:
    arguments = ["criteria", "validate", "-", "--json"]
    result = CliRunner().invoke(app, arguments, input=text_of(case).encode())
    assert json.loads(result.output) == verdict_of(case)
    assert result.exit_code == (0 if case["valid"] else 1)


@pytest.mark.parametrize("case", VERDICTS, ids=NAMES)
def test_the_same_is_wrong_in_norwegian(case: dict[str, Any]) -> None:
    english = judge_alone(text_of(case), "en")
    norwegian = judge_alone(text_of(case), "nb")
    assert [each.path for each in norwegian.errors] == [each.path for each in english.errors]
    for ours, theirs in zip(norwegian.errors, english.errors, strict=True):
        assert ours.message != theirs.message
        assert (ours.hint is None) == (theirs.hint is None)
        assert "expected" not in ours.message.partition(":")[0]
        assert ours.hint is None or ours.hint != theirs.hint
    assert (norwegian.summary != english.summary) == case["valid"]
    assert len(norwegian.warnings) == len(english.warnings)


@given(documents())
def test_a_document_survives_being_read_and_written(text: str) -> None:
    criteria = parse(text)
    written = criteria.model_dump(
        mode="json", by_alias=True, exclude_unset=True, serialize_as_any=True
    )
    assert {"version": 1, **written} == json.loads(text)
    assert parse(json.dumps({"version": 1, **written})) == criteria


SPOILT: st.SearchStrategy[object] = st.sampled_from(
    [
        *(True, False, None, math.nan, math.inf, -math.inf, 1.0, 0.5, -1, 0, 10**400),
        *("", "\0", "\ud83e", "3", [], {}, [[]], {"\udfff": 1}, {"type": "raw"}),
    ]
)


@given(documents(), SPOILT, st.data())
def test_whatever_is_put_into_a_document_is_read_or_refused(
    text: str, spoilt: object, data: st.DataObject
) -> None:
    document = json.loads(text)
    holders = [document]
    for holder in holders:
        inner = holder.values() if isinstance(holder, dict) else holder
        holders += [each for each in inner if isinstance(each, dict | list) and each]
    holder = data.draw(st.sampled_from(holders))
    keys = list(holder) if isinstance(holder, dict) else range(len(holder))
    holder[data.draw(st.sampled_from(keys))] = spoilt
    verdict = judge_alone(json.dumps(document), "en")
    json.dumps(verdict.answer(), allow_nan=False).encode()
    assert verdict.valid or all(each.path.startswith("$") for each in verdict.errors)


@given(documents(), st.data())
def test_a_doubled_key_is_refused_wherever_it_is(text: str, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["version", "type"]))
    doubled = text.replace("{", f'{{"{key}": 1, ', 1)
    with pytest.raises(InvalidCriteria, match="each key once"):
        parse(doubled)


@pytest.mark.parametrize("opening", ['{"a":', "[", '{"of":[', '{"version":1,"type":"all","of":[{'])
@pytest.mark.parametrize("depth", [5, 50, 500, 5_000, 100_000])
def test_depth_is_refused_and_ends_nothing(opening: str, depth: int) -> None:
    closing = "".join({"{": "}", "[": "]"}.get(each, "") for each in reversed(opening))
    assert not judge_alone(opening * depth, "en").valid
    assert not judge_alone(opening * depth + "1" + closing * depth, "nb").valid
