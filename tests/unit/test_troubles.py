"""What a look finds is told in words that say what to do."""

from datetime import UTC, datetime

import pytest

from sinks import troubles
from sinks.duplicates import Duplicate
from tables import zones
from tables.rules import RuleBook
from tables.types import DefinitionVersion, OrganizationVersion
from tables.zones import SAMPLES, offsets

SAVED = datetime(2026, 1, 1, tzinfo=UTC)
COUNT = '{"version": 1, "type": "threshold", "metric": "count", "at_least": 1}'


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("inserted", "definition d1 was inserted while its triggers were off"),
        ("changed", "definition d1 was changed while its triggers were off"),
        ("deleted", "definition d1 was deleted while its triggers were off"),
        ("renumbered", "definition d1 got another number than its newest version"),
    ],
)
def test_a_missed_version_is_told_with_the_command(what: str, said: str) -> None:
    row = {"kind": "definition", "id": "d1", "what": what}
    (found,) = troubles.missed_versions([row])
    assert found.subject == "d1"
    assert found.message.startswith(said)
    assert "badges migrate" in found.message
    assert found.detail == row


def test_only_what_is_in_use_without_a_version_is_unknown_still() -> None:
    assert troubles.still_unknown(["a", "b", "gone"], ["b", "c"], ["a", "b"]) == {"a"}


def definition(
    id_: str, criteria: str, key: str = "", *, status: str = "active", version: int = 1
) -> DefinitionVersion:
    fields = {"key": key or id_, "criteria": criteria, "status": status}
    return DefinitionVersion(id_, version, SAVED, deleted=status == "deleted", **fields)  # type: ignore[arg-type]


def needs(key: str) -> str:
    return f'{{"version": 1, "type": "badges", "badges": ["{key}"]}}'


def invalid(*versions: DefinitionVersion) -> list[troubles.Trouble]:
    book = RuleBook()
    book.apply([*versions, OrganizationVersion("o", 1, SAVED, "No/Where")])
    return list(troubles.invalid_definitions(book, {each.id: each for each in versions}))


def test_an_invalid_definition_is_told_with_its_key_and_reason() -> None:
    (found,) = invalid(definition("d1", "[]", "ten-visits"), definition("d2", COUNT))
    assert found.subject == "d1"
    assert "'ten-visits' is frozen" in found.message
    assert found.detail["key"] == "ten-visits"
    assert str(found.detail["reason"]).startswith("invalid criteria: $:")


def test_the_definition_that_closes_a_cycle_is_told_with_its_way() -> None:
    (found,) = invalid(definition("d1", needs("b"), "a"), definition("d2", needs("a"), "b"))
    assert found.subject == "d2"
    assert found.detail["reason"] == "closes a cycle of badges: b -> a -> b"


@pytest.mark.parametrize("status", ["draft", "retired", "deleted"])
def test_a_definition_that_decides_nothing_is_nobodys_care(status: str) -> None:
    assert invalid(definition("d1", "[]", status=status)) == []


def test_a_long_key_and_a_long_reason_are_cut() -> None:
    criteria = '{"version": 1, "type": "threshold", "metric": "count", "at_least": "%s"}'
    (found,) = invalid(definition("d1", criteria % ("x" * 9_000), "k" * 9_000))
    assert len(found.message) < 1_000
    assert found.detail["key"] == "k" * troubles.LONGEST_NAME


def test_a_missing_constraint_is_told_and_one_that_is_there_is_not() -> None:
    assert troubles.missing_constraint(True) == []
    (found,) = troubles.missing_constraint(False)
    assert "42P10" in found.message
    assert "badges migrate" in found.message


def test_duplicates_are_told_with_the_first_twenty() -> None:
    found = [Duplicate(f"a{n}", "m", "d", SAVED, "kept") for n in range(25)]
    assert troubles.duplicate_awards([]) == []
    (told,) = troubles.duplicate_awards(found)
    assert told.detail["number"] == 25
    rows = told.detail["rows"]
    assert isinstance(rows, list)
    assert [row["id"] for row in rows] == [f"a{n}" for n in range(20)]
    assert "badges dedupe" in told.message


def zone_row(name: str, in_postgres: object) -> dict[str, object]:
    return {"name": name, "organizations": 2, "offsets": in_postgres}


def test_a_zone_that_both_know_alike_is_no_finding() -> None:
    oslo = offsets("Europe/Oslo")
    assert oslo is not None
    assert list(troubles.time_zones([zone_row("Europe/Oslo", list(oslo))])) == []


def test_a_zone_that_either_lacks_is_told() -> None:
    unknown = zone_row("No/Where", [0] * len(SAMPLES))
    no_postgres = zone_row("Europe/Oslo", None)
    first, second = troubles.time_zones([unknown, no_postgres])
    assert first.subject == "No/Where"
    assert "the tzdata package lacks 'No/Where'" in first.message
    assert second.subject == "Europe/Oslo"
    assert "Postgres does not know 'Europe/Oslo'" in second.message
    assert second.detail == {"zone": "Europe/Oslo", "organizations": 2}


def test_a_zone_that_differs_is_told_with_the_moment() -> None:
    oslo = offsets("Europe/Oslo")
    assert oslo is not None
    other = list(oslo)
    place = SAMPLES.index(datetime(2036, 7, 1, 12, tzinfo=UTC))
    other[place] = 3_600
    (found,) = troubles.time_zones([zone_row("Europe/Oslo", other)])
    assert found.message.startswith(
        "'Europe/Oslo' is 7200 s from UTC at 2036-07-01 12:00 UTC by the tzdata package, and "
        "3600 s by Postgres"
    )
    assert found.detail["at"] == "2036-07-01T12:00:00+00:00"


def test_a_name_that_is_too_long_for_an_index_is_cut() -> None:
    (found,) = troubles.time_zones([zone_row("x" * 5_000, None)])
    assert found.subject == "x" * troubles.LONGEST_NAME


def test_samples_are_noon_of_the_first_of_each_month() -> None:
    assert len(SAMPLES) == 68 * 12
    assert SAMPLES[0] == datetime(1970, 1, 1, 12, tzinfo=UTC)
    assert SAMPLES[-1] == datetime(2037, 12, 1, 12, tzinfo=UTC)
    assert zones.offsets("Africa/Monrovia") is not None
    assert zones.offsets("Africa/Monrovia")[:1] == (-2_670,)  # type: ignore[index]
