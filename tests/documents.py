"""Valid criteria documents of every type with every option, made up by hypothesis."""

import json
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from hypothesis import strategies as st

from tables.criteria.window import MOST_DAYS

_Node = dict[str, Any]

_NAMES: Final = st.text(
    st.characters(exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), min_size=1, max_size=12
)
_METRICS: Final = ("count", "minutes", "active_days", "distinct_types")
_CALENDARS: Final = ("week", "month", "quarter", "year")
_DEPTH: Final = 3


def documents() -> st.SearchStrategy[str]:
    """Documents that are valid, as text."""
    root = st.one_of(_nodes(_DEPTH), _tier(), _raw())
    return root.map(lambda node: json.dumps({"version": 1, **node}, ensure_ascii=False))


def _nodes(depth: int) -> st.SearchStrategy[_Node]:
    kinds = [_threshold(), _streak(), _some_of("training", "courses"), _some_of("badges", "badges")]
    return st.one_of(*kinds, *([_all(depth - 1), _any(depth - 1)] if depth else []))


@st.composite
def _threshold(draw: st.DrawFn) -> _Node:
    measured = draw(_measured())
    return {"type": "threshold", **measured, "at_least": draw(st.integers(1, _most(measured)))}


@st.composite
def _tier(draw: st.DrawFn) -> _Node:
    measured = draw(_measured())
    levels = draw(st.sets(st.integers(1, _most(measured)), min_size=1, max_size=4))
    names = draw(st.lists(_NAMES, min_size=len(levels), max_size=len(levels), unique=True))
    pairs = zip(names, sorted(levels), strict=True)
    tiers = [{"name": name, "at_least": level} for name, level in pairs]
    return {"type": "tier", **measured, "tiers": tiers}


@st.composite
def _measured(draw: st.DrawFn) -> _Node:
    node: _Node = {"metric": draw(st.sampled_from(_METRICS))} | draw(_types())
    window = draw(st.none() | _windows())
    return node if window is None else node | {"window": window}


def _most(measured: Mapping[str, Any]) -> int:
    """The highest level that can be reached."""
    if measured["metric"] == "distinct_types" and "activity_types" in measured:
        return len(set(measured["activity_types"]))
    if measured["metric"] != "active_days":
        return 1_000_000
    window = measured.get("window", {"rolling_days": 1_000_000})
    if "from" in window:
        return (date.fromisoformat(window["to"]) - date.fromisoformat(window["from"])).days + 1
    return int(window.get("rolling_days") or MOST_DAYS[window["calendar"]])


@st.composite
def _windows(draw: st.DrawFn) -> _Node:
    kind = draw(st.sampled_from(["rolling_days", "calendar", "fixed"]))
    if kind == "rolling_days":
        return {kind: draw(st.integers(1, 3660))}
    if kind == "calendar":
        return {kind: draw(st.sampled_from(_CALENDARS))}
    first = draw(st.dates(date(1, 1, 1), date(9999, 1, 1)))
    last = first + timedelta(draw(st.integers(0, 364)))
    return {"from": first.isoformat(), "to": last.isoformat()}


@st.composite
def _streak(draw: st.DrawFn) -> _Node:
    node: _Node = {
        "type": "streak",
        "period": draw(st.sampled_from(["day", "week", "month"])),
        "length": draw(st.integers(1, 1000)),
    } | draw(_types())
    if draw(st.booleans()):
        node["metric"] = draw(st.sampled_from(_METRICS))
        most = {"active_days": MOST_DAYS[node["period"]], "distinct_types": 100_000}
        if "activity_types" in node:
            most["distinct_types"] = len(set(node["activity_types"]))
        node["per_period"] = draw(st.integers(1, most.get(node["metric"], 100_000)))
    return node | draw(st.fixed_dictionaries({}, optional={"grace": st.integers(0, 52)}))


@st.composite
def _some_of(draw: st.DrawFn, kind: str, key: str) -> _Node:
    names = draw(st.lists(_NAMES, min_size=1, max_size=5))
    at_least = st.integers(1, len(set(names)))
    optional = draw(st.fixed_dictionaries({}, optional={"at_least": at_least}))
    return {"type": kind, key: names, **optional}


def _types() -> st.SearchStrategy[_Node]:
    types = st.lists(_NAMES, min_size=1, max_size=4)
    return st.fixed_dictionaries({}, optional={"activity_types": types})


def _all(depth: int) -> st.SearchStrategy[_Node]:
    return _parts(depth).map(lambda parts: {"type": "all", "of": parts})


@st.composite
def _any(draw: st.DrawFn, depth: int) -> _Node:
    parts = draw(_parts(depth))
    at_least = st.integers(1, len(parts))
    return {"type": "any", "of": parts} | draw(
        st.fixed_dictionaries({}, optional={"at_least": at_least})
    )


def _parts(depth: int) -> st.SearchStrategy[list[_Node]]:
    return st.lists(st.deferred(lambda: _nodes(depth)), min_size=1, max_size=3)


def _raw() -> st.SearchStrategy[_Node]:
    scalars = st.none() | st.booleans() | st.integers(-9, 9) | _NAMES
    anything = st.recursive(
        scalars,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
        max_leaves=8,
    )
    return st.builds(
        lambda kept, reason: {"type": "raw", "criteria_raw": kept, "reason": reason},
        anything,
        _NAMES,
    )
