"""What makes rows say what the log does: whatever was done to them, and nothing else."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from random import Random

import msgspec.structs
import pytest

from sinks.base import Turn
from streams.differences import Differences, differences
from streams.mending import Mending, mending
from streams.partition import Partition
from streams.recovery import Recovery
from tables.decisions import Cause, Decision
from tables.rules import RuleBook
from tables.types import Award
from tests.builders import MENTOR, award_id, day, definition, generation
from tests.doubles.memory_sink import MemorySink
from tests.seeds import seeds
from tests.unit.chaos import LOG, World, run

SEEDS = seeds(20)
CAUSE = Cause(LOG, 0, 7, turn=3)
TENTH = day("2026-02-10")
EARNED = datetime(2026, 2, 9, 23, tzinfo=UTC)
TIERED = definition(
    "tiered",
    {
        "type": "tier",
        "metric": "count",
        "tiers": [{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 3}],
    },
)


def award(**given: object) -> Award:
    row = Award(award_id("tiered"), MENTOR, "tiered", EARNED, 1, earned_on=TENTH)
    return msgspec.structs.replace(row, **given)


def tier(name: str) -> dict[str, object]:
    return {
        "tier": name,
        "tier_earned_at": EARNED,
        "tier_earned_on": TENTH,
        "tier_version": 1,
    }


BRONZE, SILVER = award(**tier("bronze")), award(**tier("silver"))


def mended(
    held: Award | None, row: Award | None, grants: Mapping[str, Decision] | None = None
) -> Mending:
    book = RuleBook()
    book.apply([TIERED])
    return mending((held, row), CAUSE, book, grants or {})


def kinds(decisions: Sequence[Decision]) -> list[str]:
    return [decision.kind for decision in decisions]


def test_a_lost_row_comes_back_as_it_is_held() -> None:
    granted = Decision("granted", CAUSE, None, BRONZE, 1, {"rows": ["r1"]})
    held = award(**tier("silver"), revoked_by="rule")
    decisions = mended(held, None, {held.id: granted}).decisions
    assert kinds(decisions) == ["granted", "revoked"]
    assert (decisions[0].after.tier, decisions[0].evidence) == ("silver", {"rows": ["r1"]})
    assert decisions[1].believed == decisions[0].after
    assert decisions[1].after == held


def test_a_tier_that_a_later_version_gave_is_promoted_to() -> None:
    granted = Decision("granted", CAUSE, None, BRONZE, 1)
    held = award(**{**tier("silver"), "tier_version": 2})
    first, second = mended(held, None, {held.id: granted}).decisions
    assert (first.kind, first.after.tier) == ("granted", "bronze")
    assert (second.kind, second.after, second.definition_version) == ("promoted", held, 2)


@pytest.mark.parametrize("granted", [Decision("granted", CAUSE, None, SILVER, 1), None])
def test_the_tier_that_somebody_put_back_is_promoted_to(granted: Decision | None) -> None:
    held = award(**{**tier("silver"), "tier_version": 2})
    first, second = mended(held, None, {held.id: granted} if granted else {}).decisions
    assert (first.kind, first.after.tier, first.after.tier_version) == ("granted", None, None)
    assert (second.kind, second.after, second.definition_version) == ("promoted", held, 2)


def test_what_a_person_gave_comes_back_as_theirs() -> None:
    held = award(awarded_by="anna", changed_by="bo", revoked_by="bo")
    decisions = mended(held, None).decisions
    assert kinds(decisions) == ["granted", "revoked"]
    assert (decisions[0].after.awarded_by, decisions[1].after.revoked_by) == ("anna", "bo")


def test_an_award_without_a_date_comes_back_with_the_one_it_counts_by() -> None:
    decisions = mended(award(earned_on=None, derived_on=TENTH), None).decisions
    assert decisions[0].after.earned_on == TENTH
    (undecided,) = mended(award(earned_on=None), None).decisions
    assert undecided.after.earned_on is None


@pytest.mark.parametrize(
    ("held", "row", "expected"),
    [
        (award(), award(revoked_by="bo"), ["restored"]),
        (award(revoked_by="rule"), award(), ["revoked"]),
        (award(revoked_by="bo"), award(revoked_by="rule"), ["revoked"]),
        (SILVER, BRONZE, ["promoted"]),
        (BRONZE, award(), ["promoted"]),
        (
            award(**tier("silver")),
            award(**tier("bronze"), revoked_by="bo"),
            ["restored", "promoted"],
        ),
        (
            award(**tier("silver"), revoked_by="bo"),
            award(**tier("bronze")),
            ["promoted", "revoked"],
        ),
    ],
)
def test_a_row_that_the_rule_wrote_last_is_changed(
    held: Award, row: Award, expected: list[str]
) -> None:
    found = mended(held, row)
    assert kinds(found.decisions) == expected
    assert not found.left
    assert found.decisions[0].believed == row
    after = found.decisions[-1].after
    assert (after.tier, after.revoked_by) == (held.tier, held.revoked_by)


@pytest.mark.parametrize(
    ("held", "row", "reason"),
    [
        (None, award(), "no such award"),
        (award(), award(id=award_id("another")), award_id("tiered")),
        (award(), award(earned_on=TENTH - 1), "2026-02-10, not 2026-02-09"),
        (BRONZE, SILVER, "tier bronze"),
        (
            SILVER,
            award(**{**tier("silver"), "tier_earned_on": TENTH - 1}),
            "date of its tier",
        ),
        (award(), award(revoked_by="bo", changed_by="bo"), "bo changed it last"),
    ],
)
def test_what_the_log_does_not_explain_is_left(held: Award | None, row: Award, reason: str) -> None:
    found = mended(held, row)
    assert not found.decisions
    (why,) = found.left
    assert reason in why


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_became_of_the_rows_they_say_what_the_log_does(seed: int) -> None:
    async def story() -> None:
        world = World(seed)
        await world.live(60)
        grants: dict[str, Decision] = {}

        def keep(decisions: Sequence[Decision]) -> None:
            grants.update((each.after.id, each) for each in decisions if each.kind == "granted")

        log = generation(starts=(world.start,))
        recovery = Recovery(log, world.sink, world.versions, world.log, decided=keep)
        state = await recovery.restore(0)
        assert await to_mend(world, state) == {}
        before = await world.awards()

        damage(world, Random(f"damage {seed}"))
        decisions: list[Decision] = []
        for pair in (await to_mend(world, state)).values():
            found = mending(pair, CAUSE, state.book, grants)
            assert not found.left
            decisions += found.decisions
            # All that people wrote was in the log: the evidence is that of the grant.
            held = pair[0]
            if pair[1] is None and held and held.id in grants:
                assert found.decisions[0].evidence == grants[held.id].evidence
        await write(world, state, decisions)

        after = await world.awards()
        assert said(state, after) == said(state, before)
        assert await to_mend(world, state) == {}

    run(story())


async def to_mend(world: World, state: Partition) -> Differences:
    return differences(state, [MENTOR], await world.sink.awards(LOG, 0, [MENTOR]))


def damage(world: World, random: Random) -> None:
    """Lose rows, and change those that the rule wrote last, behind everybody's back."""
    for row in list(world.sink.awards_by_id.values()):
        chance = random.random()
        if chance < 0.4:
            world.sink.delete_award(row.id)
        elif chance < 0.7 and row.changed_by == "rule":
            row.revoked_by = None if row.revoked_by else "bo"
        elif chance < 0.9 and row.changed_by == "rule":
            row.tier = row.tier_earned_at = row.tier_earned_on = row.tier_version = None


async def write(world: World, state: Partition, decisions: Sequence[Decision]) -> None:
    """A turn of somebody else's, at the position."""
    position = state.position
    offset = position.next_offset
    await MemorySink.write(
        world.sink, Turn(LOG, 0, position.turn, offset, offset, decisions=decisions)
    )


def said(state: Partition, rows: Mapping[str, Award]) -> dict[str, Award]:
    """Rows, but for who wrote them last, and for dates that the log never said."""
    ledger = state.ledger(MENTOR)
    held = ledger.held if ledger else {}
    return {
        badge: msgspec.structs.replace(
            row,
            changed_by="",
            earned_on=held[badge].earned_on and row.earned_on,
            tier_earned_on=held[badge].tier_earned_on and row.tier_earned_on,
        )
        for badge, row in rows.items()
    }
