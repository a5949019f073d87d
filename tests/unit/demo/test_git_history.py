"""A git history as a script: kinds from prefixes, people without addresses."""

from datetime import date, timedelta

import pytest

from badges.demo.git_history import Commit, compose, kind_of
from badges.demo.world import World

FIRST = date(2026, 1, 1)


@pytest.mark.parametrize(
    ("subject", "kind"),
    [
        ("feat: a shelf", "feat"),
        ("fix(shelf)!: straighten it", "fix"),
        ("docs:no space", "commit"),
        ("feature: not a known prefix", "commit"),
        ("Fix: capitals are no prefix", "commit"),
        ("", "commit"),
    ],
)
def test_the_kind_is_the_conventional_prefix(subject: str, kind: str) -> None:
    assert kind_of(subject) == kind


def commits(count: int) -> list[Commit]:
    return [
        Commit(FIRST + timedelta(days=n), f"{n % 2}@example.org", f"Author {n % 2}", "fix")
        for n in range(count)
    ]


def played(world: World) -> int:
    return sum(len(save) for _, moment in world.script for save in moment.transactions)


def test_the_newest_commits_are_played_and_the_others_are_history() -> None:
    world = compose(commits(100), "My Project!", 1, seconds=1)

    assert [organization.slug for organization in world.organizations] == ["demo-git-my-project"]
    assert played(world) == 40
    assert len(world.rows["activities"]) == 60
    assert {badge.organization for badge in world.badges} == {"demo-git-my-project"}
    assert [p.name for p in world.mentors] == ["Author 0", "Author 1"]


def test_at_most_four_fifths_are_played_a_tick_at_a_time_and_an_author_at_once() -> None:
    world = compose(commits(20), "x", 1, seconds=1)

    assert played(world) == 16
    assert sorted({round(at, 2) for at, _ in world.script}) == [0, 0.31, 0.61]
    assert [moment.text for _, moment in world.script[:2]] == [
        "3 commits (fix) until 2026-01-09",
        "3 commits (fix) until 2026-01-10",
    ]


def test_no_address_is_kept_nor_told_apart_by_its_id() -> None:
    history = [Commit(FIRST, "ada@example.org", "ada@example.org", "fix"), *commits(2)]

    world = compose(history, "x", 1, seconds=0)
    other = compose([Commit(FIRST, "eve@example.org", "Eve", "fix")], "x", 1, seconds=0)

    assert "@" not in repr(world)
    assert world.mentors[0].name == "ada"
    assert world.mentors[0].id == other.mentors[0].id


def test_an_author_without_a_name_is_somebody() -> None:
    world = compose([Commit(FIRST, "a@b.example", " ", "fix")], "x", 1, seconds=0)

    assert world.mentors[0].name == "somebody"
