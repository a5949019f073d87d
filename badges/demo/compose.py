"""A run of the demo, written down beforehand: the same seed gives the same run on the same day."""

import random
from collections.abc import Iterator, Sequence
from datetime import date, datetime

from badges.demo.catalogue import Badge, DemoCatalogue, DemoOrganization
from badges.demo.stories import STORIES, Story, ordinary
from badges.demo.world import DemoPerson, Maker, Moment, World, definition_id, ids
from tables.zones import zone

MOMENTS_A_SECOND = 4.0
QUIET_END = 0.92
"""The share of the time in which moments begin; the rest lets the last unlocks arrive."""

_AWARD_BY_HAND = (
    "SELECT award_badge($1, $2, NULL, '{\"note\": \"from the demo\"}', 'a coordinator of the demo')"
)
_ACTIVATE = "UPDATE badge_definitions SET status = 'active' WHERE id = $1"

SPARE_MENTORS = 40
"""Mentors who have a history, and nothing else to do."""


def compose(catalogue: DemoCatalogue, name: str, run: int, seconds: float, now: datetime) -> World:
    """People, their history, and what is played in so many seconds; by the name of the run."""
    rng = random.Random(f"badges {name} {run}")
    people = ids(name, run)
    world = World(catalogue.organizations, catalogue.badges)
    told = []
    for number, story in enumerate(_stories(rng, seconds)):
        organization = catalogue.organizations[number % len(catalogue.organizations)]
        told.append(story(Maker(rng, people, world, organization, _today(organization, now))))
    world.script += _schedule(rng, told[SPARE_MENTORS:], seconds)
    if seconds > 0:
        world.script += _specials(rng, world, seconds)
    world.script.sort(key=lambda entry: entry[0])
    return world


def _today(organization: DemoOrganization, now: datetime) -> date:
    return now.astimezone(zone(organization.timezone)).date()


def _stories(rng: random.Random, seconds: float) -> Iterator[Story]:
    """First those who only have a history, then every story once, then as many as there is time."""
    yield from [ordinary] * SPARE_MENTORS
    if seconds <= 0:
        return
    yield from STORIES
    for _ in range(int(seconds * MOMENTS_A_SECOND) - len(STORIES)):
        yield rng.choice(STORIES) if rng.random() < 0.6 else ordinary


def _schedule(
    rng: random.Random, told: Sequence[Sequence[Moment]], seconds: float
) -> Iterator[tuple[float, Moment]]:
    pace = seconds * QUIET_END / max(len(told), 1)
    for number, moments in enumerate(told):
        begins = pace * (number + 0.8 * rng.random())
        for moment in moments:
            yield min(begins + moment.after, seconds * QUIET_END), moment


def _specials(rng: random.Random, world: World, seconds: float) -> Iterator[tuple[float, Moment]]:
    """What the people of the house do: give a badge by hand, and switch a new one on."""
    for badge in world.badges:
        if badge.criteria["type"] == "raw":
            for share in (0.3, 0.7):
                yield seconds * share, _by_hand(badge, rng.choice(world.mentors[:SPARE_MENTORS]))
        if badge.status == "draft":
            yield seconds * 0.55, _switched_on(badge)


def _by_hand(badge: Badge, person: DemoPerson) -> Moment:
    award = (_AWARD_BY_HAND, person.id, definition_id(badge.organization, badge.key))
    return Moment("by hand", person, f"“{badge.name}”, given by a coordinator", [[award]])


def _switched_on(badge: Badge) -> Moment:
    save = (_ACTIVATE, definition_id(badge.organization, badge.key))
    text = f"“{badge.name}” is switched on for everybody"
    return Moment("new badge", None, text, [[save]], subject=badge.name)
