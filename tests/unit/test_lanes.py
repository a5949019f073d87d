"""Lanes in a world of crashes, zombies, retries and odd batches end where the contract says."""

import os

import msgspec.structs
import pytest

from badges.tables.types import Mentor
from tests.unit.chaos import World, run

SEEDS = int(os.environ.get("BADGES_SEEDS", "40"))


@pytest.mark.parametrize("seed", range(SEEDS))
def test_whatever_happens_the_awards_are_those_of_the_log(seed: int) -> None:
    async def story() -> None:
        world = World(seed)
        await world.live(60)
        reference = world.expected()
        wanted = {
            definition: msgspec.structs.replace(award, id="", changed_in=None)
            for definition, award in reference.awards.items()
        }
        assert await world.awards() == wanted
        stats = world.sink.stats.get("m")
        assert stats == (reference.stats() if reference.rows[Mentor] else None)
        assert not world.alerts.alerts

    run(story())
