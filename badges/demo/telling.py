"""What happens, in words: who, which badge, how fast; the same for every way of showing it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from badges.demo.catalogue import Badge
from badges.demo.feed import SeenUnlock
from badges.demo.tally import Tally
from badges.demo.world import DemoPerson, Moment, World, definition_id
from reference.verification import Mismatch

_VERBS = {
    "granted": "earned",
    "promoted": "rose to",
    "revoked": "lost",
    "restored": "has back",
}


@dataclass(frozen=True)
class ToldUnlock:
    """One unlock in words; `title` has the tier as well. `latency` is in milliseconds."""

    at: datetime
    icon: str
    who: str
    verb: str
    badge: str
    title: str
    source: str
    latency: float | None


class Directory:
    """Names for the ids of this run, and for those of others that it is told."""

    def __init__(self, world: World) -> None:
        self._people = {str(person.id): person for person in world.people()}
        self._badges: dict[str, Badge] = {
            str(definition_id(badge.organization, badge.key)): badge for badge in world.badges
        }
        self._organizations = {each.slug: each.name for each in world.organizations}
        self.names = {id_: person.name for id_, person in self._people.items()}
        self.names |= {id_: badge.name for id_, badge in self._badges.items()}

    def describe(
        self, unlock: SeenUnlock, latency: float | None, at: datetime
    ) -> ToldUnlock | None:
        """The unlock in words, None when it is nobody's of this run."""
        person = self._people.get(unlock.peer_mentor_id)
        badge = self._badges.get(unlock.badge_definition_id)
        if person is None or badge is None:
            return None
        title = f"{badge.name}, {unlock.tier}" if unlock.tier else badge.name
        verb = _VERBS[unlock.kind]
        return ToldUnlock(
            at, badge.icon, person.name, verb, badge.name, title, unlock.source, latency
        )

    def place(self, person: DemoPerson | None) -> str:
        return self._organizations[person.organization] if person else ""

    def mismatch(self, found: Mismatch) -> str:
        badge = f", badge {self.named(found.badge)}" if found.badge else ""
        return (
            f"mentor {self.named(found.peer_mentor_id)}{badge}: {found.what} "
            f"should be {found.expected}, is {found.found}"
        )

    def named(self, id_: str) -> str:
        return f"{self.names[id_]} ({id_})" if id_ in self.names else id_


class Show:
    """Where everything is told as it happens; this one shows nothing."""

    def note(self, text: str) -> None: ...

    def moment(self, moment: Moment, place: str) -> None:
        """Something was saved; `place` is the organization's name."""

    def unlock(self, line: ToldUnlock) -> None: ...

    def figures(self, tally: Tally) -> None: ...


class Lines(Show):
    """One plain line for everything that happens, for logs and pipes."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def note(self, text: str) -> None:
        self._write(text)

    def moment(self, moment: Moment, place: str) -> None:
        who = f"{moment.person.name} ({place})" if moment.person else "all organizations"
        self._write(f"{_clock()}  {moment.kind:<11}  {who}: {moment.text}")

    def unlock(self, line: ToldUnlock) -> None:
        fast = f"  +{line.latency:.0f} ms" if line.latency is not None else ""
        self._write(
            f"{_clock(line.at)}  {'':<11}  {line.icon} {line.who} {line.verb} {line.title}{fast}"
        )


def _clock(at: datetime | None = None) -> str:
    return f"{at or datetime.now():%H:%M:%S.%f}"[:-3]
