"""Dead letters about a person, until not even Kafka's files have what they said.

The topic is compacted: a removed dead letter stays where it was until its segment has been closed,
which a later record does, and the broker has cleaned that.
"""

from contextlib import suppress

from badges.dead_letters import Shelf
from badges.privacy.person import Person
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


async def until_cleaned(shelf: Shelf, person: Person, limit: float) -> tuple[int, int]:
    """Wait until the topic has nothing more of the person, `limit` seconds at most.

    What is about the person must have been removed. Returns how many records are left with what
    they said, and how many of removals whose key names the person, as those of older versions do.
    """
    remnants = removals = 0

    async def is_clean() -> bool:
        nonlocal remnants, removals
        keys: set[str] = set()
        number = names = 0
        async for record in shelf.records():
            if _about(record, person):
                number += 1
                keys.add(_key(record))
            elif not record.value and person.named_in(_key(record)):
                names += 1
        remnants, removals = number, names
        if keys:
            # A record closes the segment before it. It says what is so: that this one is removed.
            await shelf.store.remove([keys.pop()])
        return not number

    with suppress(TimeoutError):
        await poll(is_clean, within=limit, every=_LOOK_EVERY_S)
    return remnants, removals


def _about(record: Message, person: Person) -> dict[str, DeadLetter]:
    """The dead letter that a record is, by its key, if it is about the person."""
    return {key: each for key, each in left([record]).items() if person.named_by(each)}


def _key(record: Message) -> str:
    return (record.key or b"").decode(errors="surrogateescape")
