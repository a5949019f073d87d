"""The script of a run: the same for the same seed, and every moment makes a difference."""

import json
from collections.abc import Sequence
from datetime import UTC, date, datetime
from random import Random
from typing import Any

import pytest

from badges.demo import catalogue, stories
from badges.demo.catalogue import Badge
from badges.demo.compose import MOMENTS_A_SECOND, SPARE_MENTORS, compose
from badges.demo.stories import STORIES, Story
from badges.demo.world import (
    Maker,
    Statement,
    World,
    ids,
)
from reference.reference import Reference
from tables.criteria.parsing import parse
from tables.types import (
    Activity,
    DefinitionVersion,
    Mentor,
    OrganizationVersion,
    Pause,
    TrainingCompletion,
)

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CATALOGUE = catalogue.load()
KINDS = {
    "new", "late", "corrected", "deleted", "moved", "two at once", "pause", "training", "by hand",
    "newcomer", "new badge",
}  # fmt: skip


def play(seed: str = "1", run: int = 1, seconds: float = 25) -> World:
    return compose(CATALOGUE, f"seed {seed}", run, seconds, NOW)


def maker(seed: int) -> Maker:
    world = World(CATALOGUE.organizations, CATALOGUE.badges)
    return Maker(Random(seed), ids("test", seed), world, world.organizations[0], NOW.date())


def day(value: date) -> int:
    return value.toordinal() - 719163


def versions(badges: Sequence[Badge], home: str) -> list[Any]:
    definitions = [
        DefinitionVersion(
            id=badge.key,
            version=1,
            saved_at=NOW,
            deleted=False,
            key=badge.key,
            criteria=json.dumps(badge.criteria),
            revocable=badge.revocable,
            status=badge.status,
        )
        for badge in badges
    ]
    return [OrganizationVersion(home, 1, NOW, "Europe/Oslo"), *definitions]


class Town:
    """The mentors of one story, by the reference."""

    def __init__(self, make: Maker) -> None:
        self.home = make.organization.slug
        self.mentors: dict[str, Reference] = {}
        for person in make.world.mentors:
            self.join(str(person.id))
        for id_, mentor, kind, on, minutes in make.world.rows["activities"]:
            self.mentors[str(mentor)].found(Activity(str(id_), str(mentor), kind, day(on), minutes))
        for id_, mentor, course, on in make.world.rows["training_completions"]:
            self.mentors[str(mentor)].found(
                TrainingCompletion(str(id_), str(mentor), course, day(on))
            )
        for reference in self.mentors.values():
            reference.evaluate()

    def join(self, mentor: str) -> None:
        self.mentors[mentor] = reference = Reference(mentor)
        reference.apply(versions(CATALOGUE.badges, self.home))
        reference.put(Mentor(mentor, self.home, True))

    def play(self, statement: Statement) -> None:
        """Do what a statement of a story does to the rows."""
        sql, first, *more = [str(v) if v else v for v in statement]
        if sql.startswith("INSERT INTO peer_mentors"):
            self.join(first)
        elif sql.startswith("INSERT INTO activities"):
            mentor, kind, on, minutes = more
            row = Activity(first, mentor, kind, day(date.fromisoformat(on)), int(minutes))
            self.mentors[mentor].put(row)
        elif sql.startswith("INSERT INTO training_completions"):
            mentor, course, on = more
            self.mentors[mentor].put(
                TrainingCompletion(first, mentor, course, day(date.fromisoformat(on)))
            )
        elif sql.startswith("INSERT INTO mentor_pauses"):
            mentor, begins, ends = more
            span = [day(date.fromisoformat(each)) for each in (begins, ends)]
            self.mentors[mentor].put(Pause(first, mentor, *span))
        else:
            self.change(sql, first, *more)

    def change(self, sql: str, activity: str, *value: str) -> None:
        owner = next(m for m in self.mentors.values() if activity in m.rows[Activity])
        row = owner.rows[Activity][activity]
        if sql.startswith("DELETE"):
            owner.delete(Activity, activity)
        elif "duration_minutes" in sql:
            owner.put(
                Activity(row.id, row.peer_mentor_id, row.activity_type, row.activity_date, 60)
            )
        else:
            owner.delete(Activity, activity)
            self.mentors[value[0]].put(
                Activity(row.id, value[0], row.activity_type, row.activity_date, 30)
            )


def test_the_same_seed_plays_the_same_script() -> None:
    assert play() == play()
    assert play() != play("2")
    assert play() != play(run=2)


def test_runs_share_no_ids() -> None:
    first, second = play(), play(run=2)

    assert not {p.id for p in first.people()} & {p.id for p in second.people()}
    assert next(first.people()).id == next(ids("seed 1", 1))


@pytest.mark.parametrize("seconds", [3, 25])
def test_every_kind_of_moment_comes_within_the_time(seconds: float) -> None:
    script = play(seconds=seconds).script

    assert {moment.kind for _, moment in script} == KINDS
    assert [at for at, _ in script] == sorted(at for at, _ in script)
    assert 0 <= script[0][0] <= script[-1][0] < seconds
    assert len(script) <= 1.5 * max(seconds * MOMENTS_A_SECOND, len(KINDS))


def test_without_time_there_is_a_history_and_nothing_to_play() -> None:
    world = play(seconds=0)

    assert world.script == []
    assert len(world.mentors) == SPARE_MENTORS


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
@pytest.mark.parametrize("seed", range(5))
def test_every_story_ends_in_an_unlock(story: Story, seed: int) -> None:
    make = maker(seed)
    moments = story(make)
    town = Town(make)

    for moment in moments:
        assert moment.person is not None
        mentor = town.mentors.get(str(moment.person.id))
        before = len(mentor.events) if mentor else 0
        for transaction in moment.transactions:
            for statement in transaction:
                town.play(statement)
        after = town.mentors[str(moment.person.id)].events
        assert len(after) > before, moment.text


def test_an_ordinary_week_needs_no_unlock() -> None:
    make = maker(1)

    (moment,) = stories.ordinary(make)

    assert moment.kind == "new"


@pytest.mark.parametrize("file", [catalogue.FILE, catalogue.GIT_FILE])
def test_the_catalogue_is_valid_and_its_keys_are_its_own(file: str) -> None:
    badges = catalogue.load(file).badges

    for badge in badges:
        parse(json.dumps(badge.criteria))
    assert len({(badge.organization, badge.key) for badge in badges}) == len(badges)


def test_the_catalogue_shows_what_the_language_can_say() -> None:
    said = {badge.criteria["type"] for badge in CATALOGUE.badges}

    assert said == {
        "threshold", "streak", "training", "badges", "all", "any", "tier", "raw"
    }  # fmt: skip
    assert {badge.organization for badge in CATALOGUE.badges} == {
        None, *(organization.slug for organization in CATALOGUE.organizations)
    }  # fmt: skip
    assert any(badge.revocable for badge in CATALOGUE.badges)
    assert len({organization.timezone for organization in CATALOGUE.organizations}) == 3
