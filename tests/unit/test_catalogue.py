"""The catalogue as data: valid, in both languages, and each badge does what its examples say."""

import json

import pytest
from typer.testing import CliRunner

from badges.catalogue.entries import Entry, load
from badges.cli.commands import app

BADGES = load().badges
PROMISED = {
    "first-contact",
    *(f"activities-{number}" for number in (10, 50, 100, 500)),
    *(f"hours-{number}" for number in (10, 50, 100)),
    *(f"weeks-{number}" for number in (4, 12, 26, 52)),
    "months-6",
    "breadth-3",
    "basic-training",
    "advanced-training",
    "certified-mentor",
    "status",
    "summer-2027",
}


def badges(*words: str, given: str = "") -> str:
    result = CliRunner().invoke(app, words, input=given)
    assert result.exit_code == 0, result.output
    return result.output


def test_it_has_every_badge_that_it_promises() -> None:
    keys = [entry.key for entry in BADGES]
    assert len(keys) == len(set(keys))
    assert {entry.key for entry in load().of(None)} == PROMISED


@pytest.mark.parametrize("slug", load().organizations)
def test_each_organization_has_a_campaign_of_its_own(slug: str) -> None:
    own = {entry.key for entry in load().of(slug)} - PROMISED
    assert len(own) == 1


def test_what_is_for_one_organization_is_for_one_that_is_named() -> None:
    assert {entry.only_for for entry in BADGES} == {None, *load().organizations}


@pytest.mark.parametrize("entry", BADGES, ids=lambda entry: entry.key)
def test_a_badge_is_whole_in_both_languages(entry: Entry) -> None:
    criteria = entry.parsed()
    assert criteria.warnings() == []
    assert criteria.summary("nb")
    assert criteria.summary("en")
    for words in (entry.name, entry.description):
        assert words["nb"].strip()
        assert words["en"].strip()
    assert entry.description["nb"] != entry.description["en"]


@pytest.mark.parametrize("entry", BADGES, ids=lambda entry: entry.key)
def test_a_badge_has_examples_that_earn_it_and_one_that_does_not(entry: Entry) -> None:
    outcomes = [bool(example["expected"]) for example in entry.examples]
    assert True in outcomes
    assert False in outcomes


def test_every_example_is_a_trial_that_passes() -> None:
    printed = badges("catalogue", "examples")

    result = json.loads(badges("criteria", "test", "-", "--json", given=printed))

    assert result["passed"]
    assert len(result["trials"]) == sum(len(entry.examples) for entry in BADGES)


def test_the_list_says_what_each_asks_for_and_that_it_is_a_proposal() -> None:
    printed = badges("catalogue", "list")
    assert "ennå ikke bekreftet av organisasjonene" in printed
    assert "activities-10: 10 aktiviteter (10 aktiviteter)" in printed
    assert "hearing-day-2027 (hlf): Verdens h\u00f8rselsdag 2027" in printed
    listed = json.loads(badges("catalogue", "list", "--lang", "en", "--json"))
    assert "not yet confirmed by the organizations" in listed["notice"]
    by_key = {badge["key"]: badge for badge in listed["badges"]}
    assert by_key["first-contact"]["summary"] == "1 activity"
    assert set(by_key) == {entry.key for entry in BADGES}
