"""Stories: what somebody did before, and the moment that makes a difference.

Each is written so that its moment unlocks something, for a reason that is easily overlooked. What
is really due is for the rules to say; nothing here decides it.
"""

from collections.abc import Callable
from datetime import date, timedelta
from typing import TypeAlias

from badges.demo.world import (
    Maker,
    Moment,
    insert,
    organization_id,
    weeks,
)

Story: TypeAlias = Callable[[Maker], list[Moment]]

_KINDS = {"visit": "a visit", "phone": "a call", "group": "a group evening", "chat": "a chat"}


def _tenth(make: Maker) -> list[Moment]:
    """Nine conversations, and one more."""
    make.was_active(_scattered(make, 9), minutes=300)
    return [_new(make, "visit", 45)]


def _bronze(make: Maker) -> list[Moment]:
    """Seven visits, and one more."""
    make.was_active(_scattered(make, 7), "visit", minutes=320)
    return [_new(make, "visit", 60)]


def _hours(make: Maker) -> list[Moment]:
    """Nearly ten hours, and a call."""
    make.was_active(_scattered(make, 8), minutes=560)
    return [_new(make, "phone", 50)]


def _fourth_week(make: Maker) -> list[Moment]:
    """Three weeks in a row, and this one."""
    make.was_active([make.in_week(ago) for ago in weeks(3, 1)], "group visit")
    return [_new(make, "group", 90)]


def _all_round(make: Maker) -> list[Moment]:
    """Three kinds of conversations, and the fourth."""
    make.was_active(_scattered(make, 6), "visit phone group")
    return [_new(make, "chat", 20)]


def _late(make: Maker) -> list[Moment]:
    """Two weeks, a hole, a week: the hole is filled by what was written down too late."""
    make.was_active([make.in_week(ago) for ago in (4, 3, 1)])
    day = make.in_week(2)
    save = make.save_activity("visit", day, 40)
    return [Moment("late", make.person, f"a visit of {_days_ago(make, day)}", [save])]


def _corrected(make: Maker) -> list[Moment]:
    """An hour that was typed as six minutes."""
    make.was_active(_scattered(make, 8), minutes=560)
    (wrong,) = make.was_active([make.in_week(1)], "visit", minutes=6)
    update = ("UPDATE activities SET duration_minutes = $2 WHERE id = $1", wrong, 60)
    return [Moment("corrected", make.person, "6 minutes were 60", [[update]])]


def _deleted(make: Maker) -> list[Moment]:
    """Twelve conversations and a course hold a badge that can be lost; one was saved twice."""
    make.was_trained("basic", make.in_week(20))
    ids = make.was_active(_scattered(make, 12), minutes=400)
    gone = ("DELETE FROM activities WHERE id = $1", ids[-1])
    again = make.save_activity("phone", make.today, 30)
    return [
        Moment("deleted", make.person, "a call that never was", [[gone]]),
        Moment("new", make.person, f"a call {_days_ago(make, make.today)}", [again], after=2.5),
    ]


def _moved(make: Maker) -> list[Moment]:
    """Ten conversations, one of them in a colleague's name."""
    make.was_active(_scattered(make, 9))
    person = make.person
    make.person = make.somebody()
    (wrong,) = make.was_active([make.in_week(1)], "visit", minutes=30)
    make.was_active(_scattered(make, 2))
    owner = ("UPDATE activities SET peer_mentor_id = $2 WHERE id = $1", wrong, person.id)
    return [Moment("moved", person, f"a visit booked on {make.person.name}", [[owner]])]


def _two_at_once(make: Maker) -> list[Moment]:
    """Nine conversations, and two that are saved in the same instant by two people."""
    make.was_active(_scattered(make, 9))
    both = [make.save_activity(kind, make.today, 30) for kind in ("phone", "chat")]
    return [Moment("two at once", make.person, "a call and a chat", both)]


def _pause(make: Maker) -> list[Moment]:
    """Four weeks with a hole, which was a holiday."""
    make.was_active([make.in_week(ago) for ago in (5, 4, 2, 1)])
    begins = make.in_week(3)
    ends = begins + timedelta(days=2)
    save = insert("mentor_pauses", next(make.ids), make.person.id, begins, ends)
    return [Moment("pause", make.person, f"away {_days_ago(make, begins)}", [[save]])]


def _training(make: Maker) -> list[Moment]:
    """One course of two, and the other."""
    make.was_trained("basic", make.in_week(9))
    make.was_active(_scattered(make, 5))
    save = insert("training_completions", next(make.ids), make.person.id, "ethics", make.today)
    return [Moment("training", make.person, "the ethics course", [[save]])]


def _newcomer(make: Maker) -> list[Moment]:
    """Somebody who joins, with a first conversation, in one transaction."""
    person = make.world.mentors.pop()
    home = organization_id(person.organization)
    joins = insert("peer_mentors", person.id, home, person.name)
    first = insert("activities", next(make.ids), person.id, "phone", make.today, 25)
    return [Moment("newcomer", person, "joins, with a first call", [[joins, first]])]


def ordinary(make: Maker) -> list[Moment]:
    """A week like any other."""
    count = make.rng.randrange(2, 30)
    make.was_active(_scattered(make, count), "visit phone chat", minutes=35 * count)
    kind = make.rng.choice(list(_KINDS))
    return [_new(make, kind, make.rng.choice([15, 20, 30, 45, 60]))]


STORIES: tuple[Story, ...] = (
    _tenth, _late, _two_at_once, _corrected, _training, _moved, _pause, _deleted, _bronze,
    _fourth_week, _newcomer, _hours, _all_round,
)  # fmt: skip


def _scattered(make: Maker, count: int) -> list[date]:
    return sorted(make.in_week(make.rng.randrange(1, 26)) for _ in range(count))


def _new(make: Maker, kind: str, minutes: int) -> Moment:
    save = make.save_activity(kind, make.today, minutes)
    return Moment("new", make.person, f"{_KINDS[kind]}, {minutes} minutes", [save])


def _days_ago(make: Maker, day: date) -> str:
    days = (make.today - day).days
    return "today" if days == 0 else "yesterday" if days == 1 else f"{days} days ago"
