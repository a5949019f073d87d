"""Tiers that are named anew: who holds one keeps its rank."""

from datetime import UTC, datetime

import msgspec.structs
import pytest

from tables.rules import RuleBook
from tables.tiers import NO_TIERS, Tiers, levels_in
from tables.types import Award, DefinitionVersion
from tests.builders import (
    FIRST_SAVE,
    MENTOR,
    ORGANIZATION,
    Gone,
    Happening,
    Put,
    Took,
    activity,
    definition,
    mentor,
    organization,
    tiers,
)
from tests.unit.stories import told

EARNED = datetime(2026, 1, 1, tzinfo=UTC)
OLD = {"bronse": 2, "silver": 4}
NEW = {"bronze": 2, "silver": 4}


def visits(*numbers: int) -> list[Put]:
    return [Put(activity(f"r{number}", number)) for number in numbers]


def held(*happenings: Happening) -> tuple[str | None, int | None]:
    """The tier that is held after a story, and its date."""
    award = told(Took((organization(),)), Put(mentor()), *happenings)["a"]
    return award.tier, award.tier_earned_on


def given(tier: str | None, version: int | None = 1, **more: str) -> Put:
    instant = EARNED if tier else None
    row = Award("a", MENTOR, "a", EARNED, version, tier, instant, earned_on=0, changed_by="anna")
    return Put(msgspec.structs.replace(row, tier_earned_on=0 if tier else None, **more))


def test_a_tier_with_a_new_name_keeps_its_rank_and_goes_up() -> None:
    renamed: list[Happening] = [Took((tiers(1, OLD),)), *visits(1, 2), Took((tiers(2, NEW),))]
    assert held(*renamed) == ("bronse", 2)
    assert held(*renamed, *visits(3)) == ("bronse", 2)
    assert held(*renamed, *visits(3, 4)) == ("silver", 4)


@pytest.mark.parametrize(
    ("levels", "tier"),
    [
        ({"low": 1, "high": 2}, "bronse"),
        ({"low": 1, "high": 3}, "high"),
        ({"low": 3, "high": 5}, "low"),
        ({"bronse": 3, "high": 5}, "bronse"),
        ({"silver": 1, "bronse": 2}, "bronse"),
    ],
)
def test_the_rank_is_what_was_asked_for_when_it_was_given(
    levels: dict[str, int], tier: str
) -> None:
    story: list[Happening] = [
        Took((tiers(1, OLD),)),
        *visits(1, 2),
        Took((tiers(2, levels),)),
        *visits(3),
    ]
    assert held(*story)[0] == tier


def test_a_promotion_gives_by_the_version_of_its_time() -> None:
    """Granted when silver asked for 4, promoted to it when it asked for 3."""
    story: list[Happening] = [
        Took((tiers(1, OLD),)),
        *visits(1, 2, 3),
        Took((tiers(2, {"bronse": 2, "silver": 3}),)),
        Took((tiers(3, {"one": 1, "four": 4}),)),
        *visits(4),
    ]
    assert held(*story) == ("four", 4)
    signed = given("silver", 1)
    assert held(*story[:-1], signed, *visits(4)) == ("four", 4)
    assert held(*story[:-1], Gone(Award, "a"), signed, *visits(4)) == ("silver", 0)


def test_a_version_that_lacks_the_name_did_not_give_it() -> None:
    """The newest that has it counts: a log that begins later does not say who promoted."""
    saved = (tiers(1, OLD), tiers(2, {"bronse": 2, "gold": 3}), tiers(3, NEW))
    for version in (1, None, 7):
        assert held(Took(saved), given("gold", version), *visits(1, 2, 3)) == ("gold", 0)
        assert held(Took(saved), given("gold", version), *visits(1, 2, 3, 4)) == ("silver", 4)


def test_a_name_that_no_version_had_is_below_every_tier() -> None:
    for tier in ("tin", None):
        assert held(Took((tiers(1, OLD),)), given(tier), *visits(1)) == (tier, 0 if tier else None)
        assert held(Took((tiers(1, OLD),)), given(tier), *visits(1, 2)) == ("bronse", 2)


def test_tiers_from_before_a_deletion_are_forgotten() -> None:
    gone = DefinitionVersion("a", 2, FIRST_SAVE, deleted=True)
    saved = (tiers(1, OLD), gone, tiers(3, NEW))
    assert held(Took(saved), given("bronse", 3), *visits(1, 2)) == ("bronze", 2)


def test_a_restored_award_keeps_its_rank_as_well() -> None:
    saved = (
        msgspec.structs.replace(tiers(1, OLD), revocable=True),
        msgspec.structs.replace(tiers(2, NEW), revocable=True),
    )
    story: list[Happening] = [Took(saved[:1]), *visits(1, 2), Took(saved[1:]), Gone(*a_visit(2))]
    assert held(*story, *visits(5, 6)) == ("bronse", 2)
    assert held(*story, *visits(5, 6, 7)) == ("silver", 7)


def a_visit(number: int) -> tuple[type, str]:
    return type(activity("", 0)), f"r{number}"


def test_a_definition_may_have_tiers_again() -> None:
    plain = definition("a", {"type": "threshold", "metric": "count", "at_least": 1}, version=2)
    story: list[Happening] = [
        Took((tiers(1, OLD),)),
        *visits(1, 2),
        Took((plain,)),
        Took((tiers(3, NEW),)),
    ]
    assert held(*story, *visits(3)) == ("bronse", 2)
    assert held(*story, *visits(3, 4)) == ("silver", 4)


def test_only_changes_are_kept() -> None:
    kept = Tiers()
    for version in range(1, 1000):
        kept.note(version, OLD if version < 500 else NEW)
    assert len(kept._changes) == 2
    assert (kept.level("bronse", 499), kept.level("bronse", 700), kept.level("tin", 1)) == (2, 2, 0)
    never = Tiers()
    never.note(1, NO_TIERS)
    assert never._changes == []


def test_versions_are_noted_in_their_order_however_they_come() -> None:
    book = RuleBook()
    book.apply([organization(), tiers(2, NEW), tiers(1, OLD)])
    (rule,) = book.plan(ORGANIZATION).rules
    assert [name for name, _ in rule.above(given("bronse").row)] == ["silver"]  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("criteria", "levels"),
    [
        ('{"version": 1, "type": "raw", "criteria_raw": "tier", "reason": "x"}', {}),
        ('{"version": 1, "type": "tier", "metric": "count", "tiers": []}', {}),
        (
            '{"version": 1, "type": "t\\u0069er", "metric": "count", '
            '"tiers": [{"name": "x", "at_least": 3}]}',
            {"x": 3},
        ),
        ("{", {}),
        ("tier", {}),
    ],
)
def test_criteria_say_their_tiers(criteria: str, levels: dict[str, int]) -> None:
    assert levels_in(criteria) == levels
