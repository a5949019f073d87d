"""Dead letters about a person, until not even Kafka's files have what they said.

The topic is compacted: a removed dead letter stays where it was until its segment has been closed,
which a later record does, and the broker has cleaned that.
"""

from contextlib import suppress

from msgspec import Struct

from badges.privacy.person import Person
from badges.upkeep.dead_letters import Shelf
from sinks.base import DeadLetter, Message
from sinks.dead_letters import left
from sinks.polling import poll

_LOOK_EVERY_S = 2.0


async def about(shelf: Shelf, person: Person) -> dict[str, DeadLetter]:
    """The dead letters about the person, by key; none where there is no topic."""
    found: dict[str, DeadLetter] = {}
    async for record in shelf.records():
        found.pop(_key(record), None)
        found |= _about(record, person)
    return found


class _Remnants(Struct, frozen=True):
    """What the topic still has of a person's removed dead letters.

    `records` is how many have what they said, `key` that of one of these. `removals` are those
    whose key names the person, as older versions wrote them.
    """

    records: int = 0
    removals: int = 0
    key: str = ""


async def until_cleaned(shelf: Shelf, person: Person, limit: float) -> _Remnants:
    """Wait until the topic has nothing more of the person, `limit` seconds at most; what it has.

    What is about the person must have been removed.
    """
    remnants = await _remnants(shelf, person)

    async def is_clean() -> bool:
        nonlocal remnants
        # A record closes the segment before it. It says what is so: that this one is removed.
        await shelf.store.remove([remnants.key])
        remnants = await _remnants(shelf, person)
        return not remnants.records

    if remnants.records:
        with suppress(TimeoutError):
            await poll(is_clean, within=limit, every=_LOOK_EVERY_S)
    return remnants


async def _remnants(shelf: Shelf, person: Person) -> _Remnants:
    records = removals = 0
    key = ""
    async for record in shelf.records():
        if _about(record, person):
            records, key = records + 1, _key(record)
        elif not record.value and person.named_in(_key(record)):
            removals += 1
    return _Remnants(records, removals, key)


def _about(record: Message, person: Person) -> dict[str, DeadLetter]:
    """The dead letter that a record is, by its key, if it is about the person."""
    return {key: each for key, each in left([record]).items() if person.named_by(each)}


def _key(record: Message) -> str:
    return (record.key or b"").decode(errors="surrogateescape")
