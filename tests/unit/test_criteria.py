import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from badges.tables.criteria import InvalidCriteria, json_schema, parse, warnings
from badges.tables.wording import summary

THRESHOLD: dict[str, Any] = {"type": "threshold", "metric": "count", "at_least": 3}

VALID: list[tuple[dict[str, Any], str]] = [
    (THRESHOLD | {"at_least": 1}, "1 activity"),
    (
        THRESHOLD | {"activity_types": ["visit", "phone"], "window": {"rolling_days": 90}},
        "3 activities of type visit or phone within any 90 days",
    ),
    (THRESHOLD | {"window": {"rolling_days": 1}}, "3 activities on one day"),
    (THRESHOLD | {"window": {"calendar": "month"}}, "3 activities within one month"),
    (
        THRESHOLD | {"metric": "minutes", "window": {"from": "2026-01-01", "to": "2026-01-01"}},
        "3 minutes from 2026-01-01 to 2026-01-01",
    ),
    (
        {"type": "streak", "period": "week", "length": 12, "activity_types": ["visit"], "grace": 1},
        "12 weeks in a row with 1 activity of type visit each, up to 1 missed in between",
    ),
    ({"type": "training", "courses": ["basic", "ethics"]}, "basic and ethics completed"),
    (
        {"type": "badges", "badges": ["a", "b", "c"], "at_least": 2},
        "2 of badges a, b and c held",
    ),
    (
        {"type": "tier", "metric": "active_days", "tiers": [{"name": "bronze", "at_least": 10}]},
        "tiers by active days: bronze from 10",
    ),
    (
        {"type": "all", "of": [THRESHOLD, {"type": "any", "of": [THRESHOLD, THRESHOLD]}]},
        "3 activities and (3 activities or 3 activities)",
    ),
    (
        {"type": "any", "at_least": 2, "of": [THRESHOLD, THRESHOLD, THRESHOLD]},
        "2 of: 3 activities; 3 activities; 3 activities",
    ),
    (
        {"type": "raw", "criteria_raw": [1.5, None], "reason": "by jury"},
        "awarded by hand (by jury)",
    ),
]


def problems(document: object) -> dict[str, str]:
    text = document if isinstance(document, str) else json.dumps(document)
    with pytest.raises(InvalidCriteria) as raised:
        parse(text)
    return {problem.path: str(problem) for problem in raised.value.problems}


def root(**keys: object) -> dict[str, object]:
    return {"version": 1, **THRESHOLD, **keys}


@pytest.mark.parametrize(("criteria", "said"), VALID)
def test_valid_criteria_are_read_and_said(criteria: dict[str, Any], said: str) -> None:
    parsed = parse(json.dumps({"version": 1, **criteria}))
    assert summary(parsed) == said
    assert bool(warnings(parsed)) == (criteria["type"] == "raw")


@pytest.mark.parametrize(
    ("document", "path", "part"),
    [
        (root(metric="cuont"), "$.metric", 'did you mean "count"?'),
        (root(at_laest=3), "$.at_laest", 'did you mean "at_least"?'),
        (root(type="treshold"), "$.type", 'did you mean "threshold"?'),
        (root(type=7), "$.type", "found 7"),
        (root(at_least=True), "$.at_least", "found true"),
        (root(at_least=1.0), "$.at_least", "found 1.0"),
        (root(at_least="1"), "$.at_least", 'found "1"'),
        (root(at_least=0), "$.at_least", "an integer from 1 to 1,000,000"),
        (root(at_least=1_000_001), "$.at_least", "found 1000001"),
        (root(activity_types=[]), "$.activity_types", "a list that is not empty"),
        (root(activity_types="visit"), "$.activity_types", "a list of activity types"),
        (
            root(activity_types=["v" * 200, "v" * 201]),
            "$.activity_types[1]",
            "a text of at most 200 characters, for that many count",
        ),
        (
            {"version": 1, "type": "training", "courses": ["\N{SPARKLES}" * 201]},
            "$.courses[0]",
            "a text of at most 200 characters",
        ),
        (root(activity_types=["visit", 3]), "$.activity_types[1]", "a text"),
        (root(window={"rolling_days": 3661}), "$.window.rolling_days", "from 1 to 3,660"),
        (root(window={"rolling_day": 3}), "$.window", 'did you mean "rolling_days"?'),
        (root(window={"calendar": "weak"}), "$.window.calendar", 'did you mean "week"?'),
        (root(window={"from": "2026-01-01"}), "$.window.to", "found nothing"),
        (root(window={"from": "2026-1-1", "to": "2026-02-30"}), "$.window.to", "a date like"),
        (
            root(window={"from": "2026-01-02", "to": "2026-01-01"}),
            "$.window.to",
            "a date from 2026-01-02 on",
        ),
        ({**THRESHOLD}, "$.version", "expected 1, found nothing"),
        (root(version=True), "$.version", "found true"),
        (
            {"version": 1, "type": "all", "of": [{**THRESHOLD, "version": 1}]},
            "$.of[0].version",
            "at the root alone",
        ),
        (
            {"version": 1, "type": "all", "of": [THRESHOLD, {**THRESHOLD, "at_least": 0}]},
            "$.of[1].at_least",
            "found 0",
        ),
        (
            {"version": 1, "type": "all", "of": [{"type": "raw"}]},
            "$.of[0].type",
            "stands at the root alone",
        ),
        ({"version": 1, "type": "all", "of": []}, "$.of", "a list that is not empty"),
        (
            {"version": 1, "type": "any", "of": [THRESHOLD], "at_least": 2},
            "$.at_least",
            "from 1 to 1, the number of parts",
        ),
        (
            {"version": 1, "type": "training", "courses": ["a", "a"], "at_least": 2},
            "$.at_least",
            "the number of courses",
        ),
        (
            {"version": 1, "type": "badges", "badges": ["a"], "at_least": 2},
            "$.at_least",
            "the number of badges",
        ),
        (
            {"version": 1, "type": "streak", "period": "day", "length": 1001, "grace": 53},
            "$.grace",
            "from 0 to 52",
        ),
        (
            {
                "version": 1,
                "type": "tier",
                "metric": "count",
                "tiers": [{"name": "a", "at_least": 2}, {"name": "b", "at_least": 2}],
            },
            "$.tiers[1].at_least",
            "more than 2",
        ),
        (
            {
                "version": 1,
                "type": "tier",
                "metric": "count",
                "tiers": [{"name": "a", "at_least": 2}, {"name": "a", "at_least": 3}],
            },
            "$.tiers[1].name",
            "a name that no other tier has",
        ),
        ("[1]", "$", "expected an object"),
        ("{", "$", "expected a JSON document, but line 1"),
        ("9" * 5000, "$", "a number too long"),
        ("[" * 100_000, "$", "nested too deep"),
        ('{"version": 1, "version": 1}', "$.version", "each key once"),
        ('{"version": 1, "type": "raw", "reason": "r", "criteria_raw": {"a": NaN}}',
         "$.criteria_raw.a", "found NaN"),
        ('{"version": 1, "type": "raw", "reason": "\\u0000", "criteria_raw": 1}',
         "$.reason", "without \\u0000"),
        ('{"version": 1, "type": "raw", "reason": "r", "criteria_raw": {"\\ud800": 1}}',
         '$.criteria_raw["\\ud800"]', "half of a surrogate pair"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_with_its_place(document: object, path: str, part: str) -> None:
    found = problems(document)
    assert path in found, found
    assert part in found[path]


def test_bytes_that_are_no_utf8_are_a_problem() -> None:
    with pytest.raises(InvalidCriteria, match="expected UTF-8"):
        parse(b'{"version": "\xff"}')


def test_everything_wrong_is_said_at_once() -> None:
    found = problems(root(metric="x", at_least=0, window=3, more=1))
    assert set(found) == {"$.metric", "$.at_least", "$.window", "$.more"}


def nested(depth: int) -> dict[str, Any]:
    return THRESHOLD if depth == 1 else {"type": "all", "of": [nested(depth - 1)]}


def test_depth_and_number_of_nodes_are_limited() -> None:
    parse(json.dumps({"version": 1, **nested(4)}))
    assert "at most 4 levels" in problems({"version": 1, **nested(5)})["$.of[0].of[0].of[0].of[0]"]
    parse(json.dumps({"version": 1, "type": "all", "of": [THRESHOLD] * 31}))
    assert "at most 32" in problems({"version": 1, "type": "all", "of": [THRESHOLD] * 32})["$"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(
                ["type", "of", "metric", "at_least", "window", "version", "tiers", "x"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_no_document_does_more_than_be_refused(document: object) -> None:
    with pytest.raises(InvalidCriteria) as raised:
        parse(json.dumps({"version": 1, "of": document}))
    assert raised.value.problems
    assert all(problem.path.startswith("$") for problem in raised.value.problems)


def test_the_schema_knows_the_keys_of_the_models() -> None:
    schema = json_schema()
    assert len(schema["oneOf"]) == 8
    assert all(each["properties"]["version"]["const"] == 1 for each in schema["oneOf"])
    assert all("version" in each["required"] for each in schema["oneOf"])
    assert all("version" not in each["properties"] for each in schema["$defs"].values())


@pytest.mark.parametrize("field", ["at_least", "type", "of", "window", "activity_types"])
def test_nesting_of_any_depth_is_a_problem_and_no_error(field: str) -> None:
    for depth in range(50, 1100, 3):
        nested = "[" * depth + "]" * depth
        text = (
            f'{{"version":1,"type":"threshold","metric":"count","at_least":3,"{field}":{nested}}}'
        )
        with pytest.raises(InvalidCriteria):
            parse(text + nested + "}")
