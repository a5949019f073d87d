"""Criteria say what they ask for in one sentence, in English and in Norwegian Bokmaal."""

import json
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tables.criteria.parsing import parse
from tables.criteria.union import TYPES
from tables.languages import Language, all_of, either_of, number, spoken_date
from tests.documents import documents

LANGUAGES: tuple[Language, ...] = ("en", "nb")
COUNT: dict[str, Any] = {"type": "threshold", "metric": "count", "at_least": 3}
STREAK: dict[str, Any] = {"type": "streak", "period": "week", "length": 12}

SAID: list[tuple[dict[str, Any], str, str]] = [
    (COUNT | {"at_least": 1}, "1 activity", "1 aktivitet"),
    (COUNT | {"at_least": 12_500}, "12,500 activities", "12\u00a0500 aktiviteter"),
    (
        COUNT | {"activity_types": ["visit", "phone", "visit"], "window": {"rolling_days": 90}},
        "3 activities of type visit or phone within any 90 days",
        "3 aktiviteter av typen visit eller phone i løpet av 90 sammenhengende dager",
    ),
    (COUNT | {"window": {"rolling_days": 1}}, "3 activities on one day", "3 aktiviteter på én dag"),
    (
        COUNT | {"window": {"rolling_days": 1000}},
        "3 activities within any 1,000 days",
        "3 aktiviteter i løpet av 1\u00a0000 sammenhengende dager",
    ),
    (
        COUNT | {"window": {"calendar": "week"}},
        "3 activities within one calendar week",
        "3 aktiviteter i løpet av én kalenderuke",
    ),
    (
        COUNT | {"window": {"calendar": "month"}},
        "3 activities within one calendar month",
        "3 aktiviteter i løpet av én kalendermåned",
    ),
    (
        COUNT | {"window": {"calendar": "quarter"}},
        "3 activities within one calendar quarter",
        "3 aktiviteter i løpet av ett kalenderkvartal",
    ),
    (
        COUNT | {"window": {"calendar": "year"}},
        "3 activities within one calendar year",
        "3 aktiviteter i løpet av ett kalenderår",
    ),
    (
        COUNT | {"window": {"from": "2026-05-01", "to": "2026-05-31"}},
        "3 activities from 1 May 2026 to 31 May 2026",
        "3 aktiviteter fra 1. mai 2026 til 31. mai 2026",
    ),
    (
        COUNT | {"metric": "minutes", "window": {"from": "2026-10-01", "to": "2026-10-01"}},
        "3 minutes on 1 October 2026",
        "3 minutter den 1. oktober 2026",
    ),
    (COUNT | {"metric": "minutes", "at_least": 1}, "1 minute", "1 minutt"),
    (
        COUNT | {"metric": "minutes", "activity_types": ["visit"]},
        "3 minutes of activities of type visit",
        "3 minutter med aktiviteter av typen visit",
    ),
    (COUNT | {"metric": "active_days", "at_least": 1}, "1 active day", "1 aktiv dag"),
    (
        COUNT | {"metric": "active_days", "activity_types": ["visit"]},
        "3 active days with activities of type visit",
        "3 aktive dager med aktiviteter av typen visit",
    ),
    (
        COUNT | {"metric": "distinct_types", "at_least": 1},
        "1 type of activity",
        "1 aktivitetstype",
    ),
    (
        COUNT | {"metric": "distinct_types", "activity_types": ["visit", "phone", "chat"]},
        "3 types of activity among visit, phone and chat",
        "3 aktivitetstyper blant visit, phone og chat",
    ),
    (
        STREAK,
        "12 weeks in a row with 1 activity each",
        "12 uker på rad med 1 aktivitet hver",
    ),
    (
        STREAK | {"length": 1, "grace": 1},
        "1 week with 1 activity",
        "1 uke med 1 aktivitet",
    ),
    (
        STREAK | {"period": "day", "length": 1000, "grace": 1},
        "1,000 days in a row with 1 activity each, up to 1 day missed in between",
        "1\u00a0000 dager på rad med 1 aktivitet hver, der opptil 1 dag imellom kan mangle",
    ),
    (
        STREAK
        | {
            "period": "month",
            "metric": "minutes",
            "per_period": 1200,
            "activity_types": ["visit"],
            "grace": 2,
        },
        "12 months in a row with 1,200 minutes of activities of type visit each, "
        "up to 2 months missed in between",
        "12 måneder på rad med 1\u00a0200 minutter med aktiviteter av typen visit hver, "
        "der opptil 2 måneder imellom kan mangle",
    ),
    (
        {"type": "training", "courses": ["basic"]},
        "the course basic completed",
        "kurset basic fullført",
    ),
    (
        {"type": "training", "courses": ["basic", "ethics"]},
        "the courses basic and ethics completed",
        "kursene basic og ethics fullført",
    ),
    (
        {"type": "training", "courses": ["basic", "ethics", "safety"], "at_least": 2},
        "2 of the courses basic, ethics and safety completed",
        "2 av kursene basic, ethics og safety fullført",
    ),
    ({"type": "badges", "badges": ["first"]}, "the badge first held", "merket first oppnådd"),
    (
        {"type": "badges", "badges": ["a", "b", "c"], "at_least": 2},
        "2 of the badges a, b and c held",
        "2 av merkene a, b og c oppnådd",
    ),
    (
        {"type": "tier", "metric": "active_days", "tiers": [{"name": "gold", "at_least": 1000}]},
        "tiers by active days: gold from 1,000",
        "nivåer etter aktive dager: gold fra 1\u00a0000",
    ),
    (
        {
            "type": "tier",
            "metric": "count",
            "activity_types": ["visit"],
            "tiers": [{"name": "a", "at_least": 1}, {"name": "b", "at_least": 2}],
            "window": {"calendar": "year"},
        },
        "tiers by activities of type visit within one calendar year: a from 1, b from 2",
        "nivåer etter aktiviteter av typen visit i løpet av ett kalenderår: a fra 1, b fra 2",
    ),
    (
        {"type": "all", "of": [COUNT, {"type": "any", "of": [COUNT, STREAK]}]},
        "3 activities and (3 activities or 12 weeks in a row with 1 activity each)",
        "3 aktiviteter og (3 aktiviteter eller 12 uker på rad med 1 aktivitet hver)",
    ),
    (
        {"type": "any", "at_least": 2, "of": [COUNT, STREAK, COUNT]},
        "2 of: 3 activities; 12 weeks in a row with 1 activity each; 3 activities",
        "2 av: 3 aktiviteter; 12 uker på rad med 1 aktivitet hver; 3 aktiviteter",
    ),
    ({"type": "any", "of": [COUNT]}, "3 activities", "3 aktiviteter"),
    (
        {"type": "raw", "criteria_raw": [1.5, None], "reason": "by jury"},
        "awarded by hand (by jury)",
        "tildeles for hånd (by jury)",
    ),
]

MISSING: list[tuple[dict[str, Any], int, int, str, str]] = [
    (COUNT, 2, 3, "1 more activity", "ytterligere 1 aktivitet"),
    (
        COUNT | {"at_least": 2000, "window": {"rolling_days": 2}},
        1,
        2000,
        "1,999 more activities within any 2 days",
        "ytterligere 1\u00a0999 aktiviteter i løpet av 2 sammenhengende dager",
    ),
    (
        STREAK,
        3,
        12,
        "12 weeks in a row with 1 activity each: the longest so far is 3",
        "12 uker på rad med 1 aktivitet hver: den lengste rekken så langt er 3",
    ),
    (
        {"type": "training", "courses": ["basic", "ethics"]},
        1,
        2,
        "1 more of the courses basic and ethics",
        "ytterligere 1 av kursene basic og ethics",
    ),
    (
        {"type": "training", "courses": ["basic"]},
        0,
        1,
        "the course basic",
        "kurset basic",
    ),
    (
        {"type": "badges", "badges": ["a", "b"]},
        0,
        2,
        "the badges a and b",
        "merkene a og b",
    ),
    (
        {"type": "all", "of": [COUNT, STREAK]},
        1,
        2,
        "1 more of 2 parts",
        "ytterligere 1 av 2 deler",
    ),
    (
        {"type": "raw", "criteria_raw": {}, "reason": "by jury"},
        0,
        1,
        "somebody who awards it by hand",
        "noen som tildeler det for hånd",
    ),
]


def written(criteria: dict[str, Any]) -> str:
    return json.dumps({"version": 1, **criteria})


@pytest.mark.parametrize(("criteria", "english", "norwegian"), SAID)
def test_criteria_are_said_in_both_languages(
    criteria: dict[str, Any], english: str, norwegian: str
) -> None:
    parsed = parse(written(criteria))
    assert parsed.summary() == parsed.summary("en") == english
    assert parsed.summary("nb") == norwegian


@pytest.mark.parametrize(("criteria", "done", "needed", "english", "norwegian"), MISSING)
def test_what_is_missing_is_said_in_both_languages(
    criteria: dict[str, Any], done: int, needed: int, english: str, norwegian: str
) -> None:
    parsed = parse(written(criteria))
    assert parsed.missing(done, needed) == parsed.missing(done, needed, "en") == english
    assert parsed.missing(done, needed, "nb") == norwegian


def test_every_type_is_among_the_examples_above() -> None:
    assert {criteria["type"] for criteria, *_ in SAID} == set(TYPES)


def test_raw_criteria_warn_in_both_languages() -> None:
    raw = parse(written({"type": "raw", "criteria_raw": {}, "reason": "by jury"}))
    assert "never evaluated" in raw.warnings("en")[0]
    assert "blir aldri vurdert" in raw.warnings("nb")[0]


@given(documents())
def test_a_sentence_leaves_nothing_out(text: str) -> None:
    document = json.loads(text)
    parsed = parse(text)
    for language in LANGUAGES:
        said = parsed.summary(language)
        assert said.strip() == said != ""
        assert "  " not in said
        for piece in asked_for(document, language):
            assert piece in said
    assert parsed.summary("nb") != parsed.summary("en")


@given(documents(), st.data())
def test_what_is_missing_is_said_of_every_type(text: str, data: st.DataObject) -> None:
    parsed = parse(text)
    needed = parsed.needed(0)
    done = data.draw(st.integers(0, needed - 1))
    for language in LANGUAGES:
        said = parsed.missing(done, needed, language)
        assert said.strip() == said != ""
        assert "  " not in said
    assert parsed.missing(done, needed, "nb") != parsed.missing(done, needed, "en")


def asked_for(node: dict[str, Any], language: Language) -> Iterator[str]:
    """Each number, name and date of some criteria, as a sentence has to have it."""
    kind = node["type"]
    for key in ("activity_types", "courses", "badges"):
        yield from node.get(key, ())
    for step in node.get("tiers", ()):
        yield step["name"]
        yield number(step["at_least"], language)
    for part in node.get("of", ()):
        yield from asked_for(part, language)
    if kind == "raw":
        yield node["reason"]
    if kind in ("threshold", "streak"):
        for key in ("at_least", "length", "per_period"):
            if key in node:
                yield number(node[key], language)
    if kind == "streak" and node["length"] > 1 and node.get("grace"):
        yield number(node["grace"], language)
    some = {"training": node.get("courses", ()), "badges": node.get("badges", ())}.get(kind, ())
    if "at_least" in node and node["at_least"] not in (1, len(set(some))):
        yield number(node["at_least"], language)
    yield from _asked_of(node.get("window") or {}, language)


def _asked_of(window: dict[str, Any], language: Language) -> Iterator[str]:
    if window.get("rolling_days", 1) > 1:
        yield number(window["rolling_days"], language)
    for key in ("from", "to"):
        if key in window:
            yield spoken_date(date.fromisoformat(window[key]), language)


def test_names_are_listed_once_each() -> None:
    assert all_of(["a"], "nb") == "a"
    assert all_of(["a", "b", "a"], "nb") == "a og b"
    assert either_of(["a", "b", "c"], "nb") == "a, b eller c"
    assert either_of(["a", "b", "c"], "en") == "a, b or c"
