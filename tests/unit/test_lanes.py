"""Lanes in a world of crashes, zombies, retries and odd batches end where the contract says."""

import os

import msgspec.structs
import pytest

from badges.tables.types import Award, Mentor
from tests.unit.chaos import World, as_stored, run

SEEDS = int(os.environ.get("BADGES_SEEDS", "40"))


def with_dates_of(found: Award | None, wanted: Award) -> Award:
    """What is wanted, with the dates of the row where the log does not say them."""
    if found is None:
        return wanted
    on = found.earned_on if wanted.earned_on is None else wanted.earned_on
    tier_on = wanted.tier_earned_on
    if wanted.tier is not None and tier_on is None:
        tier_on = found.tier_earned_on
    return msgspec.structs.replace(wanted, earned_on=on, tier_earned_on=tier_on)


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_the_awards_are_those_of_the_log(seed: int) -> None:
    async def story() -> None:
        world = World(seed)
        await world.live(60)
        reference = world.expected()
        found = await world.awards()
        wanted = {
            definition: with_dates_of(found.get(definition), as_stored(award))
            for definition, award in reference.awards.items()
        }
        assert found == wanted
        stats = world.sink.stats.get("m")
        assert stats == (reference.stats() if reference.rows[Mentor] else None)
        assert not world.alerts.alerts

    run(story())
