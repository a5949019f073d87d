"""What happens, in words: who, which badge, how fast; the same for every way of showing it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from badges.demo.catalogue import Badge, Organization
from badges.demo.feed import Unlock
from badges.demo.tally import Tally
from badges.demo.world import Moment, Person, World, definition_id

_VERBS = {
    "granted": "earned",
    "promoted": "rose to",
    "revoked": "lost",
    "restored": "has back",
}


@dataclass(frozen=True)
class Line:
    """One unlock in words. `latency` is in milliseconds."""

    at: datetime
    icon: str
    who: str
    verb: str
    badge: str
    tier: str | None
    organization: str
    source: str
    latency: float | None

    @property
    def title(self) -> str:
        return f"{self.badge}, {self.tier}" if self.tier else self.badge


class Directory:
    """Names for the ids of this run; others' unlocks have none."""

    def __init__(self, world: World) -> None:
        self._people = {str(person.id): person for person in world.people()}
        self._badges: dict[str, Badge] = {
            str(definition_id(badge.organization, badge.key)): badge for badge in world.badges
        }
        self._organizations: dict[str, Organization] = {o.slug: o for o in world.organizations}
        self._others: dict[str, str] = {}

    def learn(self, names: Mapping[str, str]) -> None:
        self._others |= names

    def describe(self, unlock: Unlock, latency: float | None, at: datetime) -> Line | None:
        """The unlock in words, None when it is nobody's of this run."""
        person = self._people.get(unlock.peer_mentor_id)
        badge = self._badges.get(unlock.badge_definition_id)
        if person is None or badge is None:
            return None
        return Line(
            at,
            badge.icon,
            person.name,
            _VERBS[unlock.kind],
            badge.name,
            unlock.tier,
            self.place(person),
            unlock.source,
            latency,
        )

    def person(self, mentor_id: str) -> str:
        person = self._people.get(mentor_id)
        return self._named(person.name if person else None, mentor_id)

    def badge(self, badge_definition_id: str) -> str:
        badge = self._badges.get(badge_definition_id)
        return self._named(badge.name if badge else None, badge_definition_id)

    def _named(self, name: str | None, id_: str) -> str:
        known = name or self._others.get(id_)
        return f"{known} ({id_})" if known else id_

    def place(self, person: Person) -> str:
        return self._organizations[person.organization].name


class Show(Protocol):
    def note(self, text: str) -> None: ...

    def moment(self, moment: Moment, place: str) -> None:
        """Something was saved; `place` is the organization's name."""
        ...

    def unlock(self, line: Line) -> None: ...

    def figures(self, tally: Tally) -> None: ...


class Silence:
    """Shows nothing."""

    def note(self, text: str) -> None: ...

    def moment(self, moment: Moment, place: str) -> None: ...

    def unlock(self, line: Line) -> None: ...

    def figures(self, tally: Tally) -> None: ...
