"""In a world of crashes, zombies, retries and odd batches, workers end where the contract says."""

import os
from collections import Counter
from functools import cache
from pathlib import Path

import msgspec.structs
import pytest

from streams import checkpointing, partition
from streams.differences import differences
from streams.metrics import WORKER
from tables.types import Award, Mentor
from tests.builders import MENTOR
from tests.seeds import seeds
from tests.unit.chaos import BY_HAND, LOG, World, as_stored, run

SEEDS = seeds(40)


def with_dates_of(found: Award | None, wanted: Award) -> Award:
    """What is wanted, with the dates of the row where the log does not say them."""
    if found is None:
        return wanted
    on = found.earned_on if wanted.earned_on is None else wanted.earned_on
    tier_on = wanted.tier_earned_on
    if wanted.tier is not None and tier_on is None:
        tier_on = found.tier_earned_on
    return msgspec.structs.replace(wanted, earned_on=on, tier_earned_on=tier_on)


async def live(world: World) -> None:
    """Tell a story of 60 events, and compare what is there at its end with the reference."""
    await world.live(60)
    reference = world.expected()
    found = await world.awards()
    wanted = {
        definition: with_dates_of(found.get(definition), as_stored(award))
        for definition, award in reference.awards.items()
    }
    assert found == wanted
    stats = world.sink.stats.get(MENTOR)
    assert stats == (reference.stats() if reference.rows[Mentor] else None)


@pytest.mark.parametrize("seed", SEEDS)
def test_whatever_happens_the_awards_are_those_of_the_log(seed: int) -> None:
    async def story() -> None:
        world = World(seed)
        await live(world)
        assert not world.alerts.alerts

    run(story())


@pytest.mark.parametrize("seed", SEEDS)
def test_who_reads_the_log_again_gives_every_award_the_name_that_its_row_has(seed: int) -> None:
    async def story() -> None:
        world = World(seed, marks=0.5)
        await live(world)
        again = await world.restored()
        assert differences(again, [MENTOR], await world.sink.awards(LOG, 0, [MENTOR])) == {}

    run(story())


@pytest.mark.parametrize("seed", SEEDS)
def test_rows_that_nobody_can_use_are_gone_until_they_say_something(
    seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "MOST_IN_A_ROW", 2)

    async def story() -> None:
        world = World(seed, unusable=0.3)
        await live(world)
        told = {alert.subject for alert in world.alerts.alerts if alert.resolved_at is None}
        assert told == {letter.table for letter in world.letters.letters.values()}

    run(story())


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_held_may_come_from_checkpoints(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partition, "MOST_IN_A_ROW", 2)
    monkeypatch.setattr(checkpointing, "_LEAST_RECORDS", 3)
    monkeypatch.setattr(os, "fsync", lambda _: None)

    async def story() -> None:
        world = World(seed, unusable=0.2 if seed % 2 else 0, directory=tmp_path / "kept")
        await live(world)

    run(story())


def test_the_stories_hold_restarts_from_checkpoints(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkpointing, "_LEAST_RECORDS", 3)

    def restored() -> float:
        name, source = "badges_partition_restore_seconds_count", {"source": "checkpoint"}
        return WORKER.get_sample_value(name, source) or 0.0

    before = restored()
    for seed in range(10):
        run(live(World(seed, directory=tmp_path / str(seed))))
    assert restored() - before > 10


@cache
def refused(seed: int) -> World:
    """A world at its end in which an application refused some of what was written."""
    world = World(seed, refusing=0.2)
    run(live(world))
    return world


@pytest.mark.parametrize("seed", SEEDS)
def test_what_an_application_refuses_for_a_while_is_written_at_last(seed: int) -> None:
    world = refused(seed)

    assert world.sink.queue.rows == []
    granted = Counter(e.badge_award_id for e in world.sink.events if e.kind == "granted")
    rules = {name for name in world.sink.awards_by_id if not name.startswith(BY_HAND)}
    assert {award: granted[award] for award in rules} == dict.fromkeys(rules, 1)
    assert {alert.kind for alert in world.alerts.alerts} <= {"write_refused"}
    assert all(alert.resolved_at for alert in world.alerts.alerts)


def test_the_stories_hold_writes_that_are_refused() -> None:
    worlds = [refused(seed) for seed in range(20)]
    assert sum(bool(world.alerts.alerts) for world in worlds) > 10
    assert sum(bool(world.sink.found_by_log) for world in worlds) > 3
