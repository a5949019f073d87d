import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.criteria.errors import InvalidCriteria
from tables.criteria.fields import MANY
from tables.criteria.parsing import MAX_TEXT, parse
from tables.criteria.training import Training
from tables.documents import _object

THRESHOLD: dict[str, Any] = {"type": "threshold", "metric": "count", "at_least": 3}

VALID: list[tuple[dict[str, Any], str]] = [
    (THRESHOLD | {"at_least": 1}, "1 activity"),
    (
        THRESHOLD | {"activity_types": ["visit", "phone"], "window": {"rolling_days": 90}},
        "3 activities of type visit or phone within any 90 days",
    ),
    (THRESHOLD | {"window": {"rolling_days": 1}}, "3 activities on one day"),
    (THRESHOLD | {"window": {"calendar": "month"}}, "3 activities within one calendar month"),
    (
        THRESHOLD | {"metric": "minutes", "window": {"from": "2026-01-01", "to": "2026-01-01"}},
        "3 minutes on 1 January 2026",
    ),
    (
        {"type": "streak", "period": "week", "length": 12, "activity_types": ["visit"], "grace": 1},
        "12 weeks in a row with 1 activity of type visit each, up to 1 week missed in between",
    ),
    (
        {"type": "training", "courses": ["basic", "ethics"]},
        "the courses basic and ethics completed",
    ),
    (
        {"type": "badges", "badges": ["a", "b", "c"], "at_least": 2},
        "2 of the badges a, b and c held",
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
    return {problem.path: str(problem) for problem in raised.value.violations}


def root(**keys: object) -> dict[str, object]:
    return {"version": 1, **THRESHOLD, **keys}


@pytest.mark.parametrize(("criteria", "said"), VALID)
def test_valid_criteria_are_read_and_said(criteria: dict[str, Any], said: str) -> None:
    parsed = parse(json.dumps({"version": 1, **criteria}))
    assert parsed.summary() == said
    assert bool(parsed.warnings()) == (criteria["type"] == "raw")


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
            "a text of at most 200 characters, found one of 201",
        ),
        (
            {"version": 1, "type": "training", "courses": ["\N{SPARKLES}" * 201]},
            "$.courses[0]",
            "a text of at most 200 characters",
        ),
        (
            {
                "version": 1,
                "type": "tier",
                "metric": "count",
                "tiers": [{"name": "b" * 201, "at_least": 1}],
            },
            "$.tiers[0].name",
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
        (root(activity_types=["a", "å" * 201]), "$.activity_types[1]", "at most 200 characters"),
        (
            {"version": 1, "type": "training", "courses": ["\U0001f9e1" * 201]},
            "$.courses[0]",
            "found one of 201",
        ),
        (
            {
                "version": 1,
                "type": "streak",
                "period": "day",
                "length": 2,
                "activity_types": ["x" * 300],
            },
            "$.activity_types[0]",
            "found one of 300",
        ),
        (
            root(metric="active_days", at_least=31, window={"rolling_days": 30}),
            "$.at_least",
            "expected an integer from 1 to 30, the number of days, found 31",
        ),
        (
            {
                "version": 1,
                "type": "all",
                "of": [
                    THRESHOLD
                    | {"metric": "active_days", "at_least": 8, "window": {"calendar": "week"}}
                ],
            },
            "$.of[0].at_least",
            "from 1 to 7",
        ),
        (
            root(
                metric="active_days",
                at_least=32,
                window={"from": "2026-01-01", "to": "2026-01-31"},
            ),
            "$.at_least",
            "from 1 to 31",
        ),
        (
            {
                "version": 1,
                "type": "tier",
                "metric": "active_days",
                "tiers": [{"name": "a", "at_least": 5}, {"name": "b", "at_least": 8}],
                "window": {"rolling_days": 7},
            },
            "$.tiers[1].at_least",
            "from 1 to 7, the number of days, found 8",
        ),
        (
            {
                "version": 1,
                "type": "streak",
                "period": "week",
                "length": 2,
                "metric": "active_days",
                "per_period": 8,
            },
            "$.per_period",
            "from 1 to 7",
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
            "expected 1, the number of parts",
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


@pytest.mark.parametrize("metric", ["count", "minutes", "distinct_types"])
@pytest.mark.parametrize("window", [{"rolling_days": 3}, {"calendar": "week"}])
def test_only_days_can_be_too_many_for_a_window(metric: str, window: dict[str, Any]) -> None:
    parse(json.dumps(root(metric=metric, at_least=1000, window=window)))


@pytest.mark.parametrize(
    ("window", "days"),
    [
        ({"rolling_days": 3660}, 3660),
        ({"calendar": "week"}, 7),
        ({"calendar": "month"}, 31),
        ({"calendar": "quarter"}, 92),
        ({"calendar": "year"}, 366),
        ({"from": "2024-02-28", "to": "2024-03-01"}, 3),
        (None, 1_000_000),
    ],
)
def test_as_many_active_days_as_a_window_has_can_be_asked_for(
    window: dict[str, Any] | None, days: int
) -> None:
    document = root(metric="active_days", at_least=days, window=window)
    parse(json.dumps(document))
    assert "$.at_least" in problems(document | {"at_least": days + 1})


@pytest.mark.parametrize(
    "date",
    [
        "2026-W05-3",
        "20260131",
        "2026-1-31",
        "2026-01-31 ",
        " 2026-01-31",
        "2026-01-31\n",
        "2026-01-31T00:00",
        "2026-01-3\u0661",
        "\uff12026-01-31",
        "2026-02-30",
        "0000-01-01",
        "+2026-01-31",
        "2026/01/31",
        20260131,
        None,
    ],
)
def test_a_date_is_written_in_one_way(date: object) -> None:
    for key, other in (("from", {"to": "9999-12-31"}), ("to", {"from": "0001-01-01"})):
        found = problems(root(window={key: date, **other}))
        assert set(found) == {f"$.window.{key}"}
        assert "expected a date like 2026-01-31" in found[f"$.window.{key}"]


@pytest.mark.parametrize("letter", ["x", "å", "\U0001f9e1"])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_the_longest_names_fit_five_hundred_times(letter: str, ascii_only: bool) -> None:
    courses = [f"{number:03}{letter * 197}" for number in range(500)]
    document = {"version": 1, "type": "training", "courses": courses, "at_least": 500}
    parsed = parse(json.dumps(document, ensure_ascii=ascii_only))
    assert isinstance(parsed, Training)
    assert parsed.courses == courses


def test_a_document_has_a_size() -> None:
    document: dict[str, object] = {
        "version": 1,
        "type": "raw",
        "reason": "long",
        "criteria_raw": "",
    }
    room = MAX_TEXT - len(json.dumps(document))
    parse(json.dumps(document | {"criteria_raw": "x" * room}))
    parse(json.dumps(document | {"criteria_raw": "x" * room}, separators=(",", ":")).encode())
    found = problems(document | {"criteria_raw": "x" * (room + 1)})
    assert found == {
        "$": "$: expected a document of at most 131,072 characters, found 131,073",
    }
    assert "$" in problems(json.dumps(document | {"criteria_raw": [1] * 50_000}))


def test_a_document_is_as_long_as_postgres_writes_it() -> None:
    raw: dict[str, object] = {"version": 1, "type": "raw", "reason": "r"}
    raw["criteria_raw"] = [1] * 40_000
    assert len(json.dumps(raw)) < MAX_TEXT
    parse(json.dumps(raw, indent=4))
    raw["criteria_raw"] = [1] * 45_000
    tight = json.dumps(raw, separators=(",", ":"))
    assert len(tight) < MAX_TEXT
    assert "at most 131,072 characters" in problems(tight)["$"]


def test_doubled_keys_are_found_in_one_going_through() -> None:
    class Counted(str):
        """A key that counts how often it is compared."""

        __slots__ = ()
        compared = 0

        def __eq__(self, other: object) -> bool:
            Counted.compared += 1
            return str.__eq__(self, other)

        __hash__ = str.__hash__

    for keys in (500, 4_000):
        Counted.compared = 0
        names = [Counted(f"k{number}") for number in range(keys)]
        pairs: list[tuple[str, Any]] = [(name, 1) for name in [*names, *names]]
        assert len(_object(pairs).repeated) == keys
        assert Counted.compared < 5 * 2 * keys


def test_of_what_is_too_deep_nothing_else_is_said() -> None:
    """To look for what is wrong at every level would take long."""
    part: dict[str, object] = {"type": "training", "courses": [], "no key": 1}
    for _ in range(20):
        part = {"type": "any", "at_least": 9, "no key": 1, "of": [part]}
    (said,) = problems({"version": 1, **part}).values()
    assert "levels" in said


def test_of_thousands_of_problems_the_first_are_said() -> None:
    doubled = ",".join(f'"k{number}": 1, "k{number}": 2' for number in range(5_000))
    assert list(problems("{" + doubled + "}"))[:2] == ["$.k0", "$.k1"]
    assert len(problems("{" + doubled + "}")) == MANY
    assert len(problems(root(activity_types=[""] * 20_000))) == MANY


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
    assert raised.value.violations
    assert all(problem.path.startswith("$") for problem in raised.value.violations)


@pytest.mark.parametrize("field", ["at_least", "type", "of", "window", "activity_types"])
def test_nesting_of_any_depth_is_a_problem_and_no_error(field: str) -> None:
    for depth in range(50, 1100, 3):
        nested = "[" * depth + "]" * depth
        text = (
            f'{{"version":1,"type":"threshold","metric":"count","at_least":3,"{field}":{nested}}}'
        )
        with pytest.raises(InvalidCriteria):
            parse(text + nested + "}")
