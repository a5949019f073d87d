"""What may go, in Postgres and in Kafka: `badges prune` tells it or removes it."""

from collections import defaultdict
from collections.abc import Mapping

from msgspec import Struct
from msgspec.structs import replace

from badges.upkeep.dead_letters import Shelf
from badges.upkeep.retrying import row_of
from sinks import pruning
from sinks.base import DeadLetter
from sinks.pool import Connection
from sinks.pruning import OVER, Prunable
from sinks.queries import QUERIES
from streams.errors import Failure
from streams.log import generations
from streams.log.cluster import Cluster
from streams.log_tables import NAMED

_LETTERS = "dead_letters"


class LeftOver(Struct, frozen=True):
    """A part of a generation that is over, which another command removes; bytes of WAL it keeps."""

    kind: str
    name: str
    bytes: int | None
    command: str = "`badges provision`"


async def see_all(connection: Connection) -> None:
    """Make it an error, and not an answer, that a policy hides rows. Raises Failure."""
    await connection.execute("SET row_security = off")
    if not await connection.fetchval("SELECT to_regclass('public.badge_logs') IS NOT NULL"):
        raise Failure("this database has no tables of ours", hint="Run `badges migrate` first")


async def prunable(connection: Connection, shelf: Shelf, older_than: int) -> list[Prunable]:
    """What may go, by kind."""
    letters = await _dealt_with(connection, shelf)
    return [*await pruning.prunable(connection, older_than), _told(letters)]


async def remove(connection: Connection, shelf: Shelf, older_than: int) -> list[Prunable]:
    """Remove what may go, and say of each kind how much of it is gone by that."""
    gone = []
    for each in await pruning.prunable(connection, older_than):
        removed = await pruning.remove(connection, each.kind, older_than) if each.count else 0
        gone.append(replace(each, count=removed))
    letters = await _dealt_with(connection, shelf)
    await shelf.store.remove(letters.keys())
    return [*gone, _told(letters)]


async def left_over(connection: Connection, cluster: Cluster) -> list[LeftOver]:
    """The slots and topics of generations before the live one that nobody asked to keep."""
    live = await generations.live(connection)
    over = await generations.over(connection, live.number) if live else []
    if live is None or not over:
        return []
    slots = {each.slot for each in over}
    topics = [topic for each in over for topic in (each.topic, each.heartbeat_topic)]
    unread = await connection.fetch(QUERIES["unread_slots"], live.publication, live.slot)
    return [
        *(
            LeftOver("slot", row["slot"], row["retained_bytes"])
            for row in unread
            if row["slot"] in slots
        ),
        *(LeftOver("topic", name, None) for name in await cluster.topics(topics)),
    ]


async def _dealt_with(connection: Connection, shelf: Shelf) -> dict[str, DeadLetter]:
    """The dead letters that say nothing any more.

    Those of a log that is over: the one after it read all rows anew, and has dead letters of its
    own. And those of rows that are deleted: there is nothing that could be taken in.
    """
    letters = await shelf.letters()
    over = {row["log_id"] for row in await connection.fetch(OVER)}
    gone = await _gone(connection, letters)
    return {key: letter for key, letter in letters.items() if letter.log_id in over or key in gone}


async def _gone(connection: Connection, letters: Mapping[str, DeadLetter]) -> set[str]:
    keys = defaultdict[tuple[str, str], list[str]](list)
    for key, letter in letters.items():
        if (row := row_of(letter)) is not None:
            keys[row].append(key)
    gone = set[str]()
    for table in NAMED:
        ids = [row_id for name, row_id in keys if name == table]
        there = {
            row["id"]
            for row in await connection.fetch(
                f"SELECT id::text AS id FROM public.{table} WHERE id = ANY ($1::uuid[])", ids
            )
        }
        gone |= {key for each in ids if each not in there for key in keys[table, each]}
    return gone


def _told(letters: Mapping[str, DeadLetter]) -> Prunable:
    return Prunable(
        _LETTERS,
        len(letters),
        sum(len(each.key or b"") + len(each.value or b"") for each in letters.values()),
        min((each.at for each in letters.values()), default=None),
    )
