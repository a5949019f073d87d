"""Dead letters about a person, until not even Kafka's files have what they said.

The topic is compacted: a removed dead letter stays where it was until its segment has been closed,
which a later record does, and the broker has cleaned that.
"""

from collections.abc import Iterable
from contextlib import suppress

from badges.dead_letters import Shelf
from badges.privacy.person import Person
from sinks.base import DeadLetter, Message
from sinks.dead_letters import left
from sinks.polling import poll

_LOOK_EVERY_S = 2.0


async def about(shelf: Shelf, person: Person) -> dict[str, DeadLetter]:
    """The dead letters about the person, by key; none where there is no topic."""
    letters = left(await shelf.records())
    return {key: letter for key, letter in letters.items() if person.named_by(letter)}


async def until_cleaned(shelf: Shelf, person: Person, limit: float) -> tuple[int, int]:
    """Wait until the topic has nothing more of the person, `limit` seconds at most.

    What is about the person must have been removed. Returns how many records are left with what
    they said, and how many of removals whose key names the person, as those of older versions do.
    """
    records: list[Message] = []

    async def is_clean() -> bool:
        records[:] = await shelf.records()
        remnants = [each for each in records if _says_something(each, person)]
        if remnants:
            # A record closes the segment before it. It says what is so: that this one is removed.
            key = (remnants[0].key or b"").decode(errors="surrogateescape")
            await shelf.store.remove([key])
        return not remnants

    with suppress(TimeoutError):
        await poll(is_clean, within=limit, every=_LOOK_EVERY_S)
    remnants = sum(_says_something(each, person) for each in records)
    return remnants, len(list(_removals(records, person)))


def _says_something(record: Message, person: Person) -> bool:
    return any(person.named_by(letter) for letter in left([record]).values())


def _removals(records: Iterable[Message], person: Person) -> Iterable[Message]:
    for record in records:
        if not record.value and person.named_in((record.key or b"").decode(errors="replace")):
            yield record
