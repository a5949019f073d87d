"""What waits to be written goes over from one generation of the log to the next.

It was decided in a log that is closed, so the new one cannot tell of it: its snapshot has the
awards as they are, not as they will be. So the generation notes what they will be, and holds that
as found, as it does every award that was there; and the rows wait on where the mentor is now.
"""

from collections.abc import Iterable, Iterator

import msgspec

from sinks import turns
from sinks.base import Found, MentorDeleted
from sinks.pool import Connection
from sinks.queries import QUERIES
from sinks.rows import award_of
from sinks.waiting import item_of
from streams.log.topics import partition_of
from tables.decisions import Decision
from tables.types import Award


async def carry_over(connection: Connection, log_id: str, partitions: int) -> None:
    """Take everything that waits over to a log, in the transaction in which that goes live."""
    await connection.execute(QUERIES["forget_gone"])
    rows = await connection.fetch(QUERIES["open_waits"])
    if not rows:
        return
    mentors = sorted({row["mentor"] for row in rows})
    items = [item_of(row["kind"], row["decision"]) for row in rows]
    decided = [item for item in items if isinstance(item, Decision | MentorDeleted)]
    awards = [award_of(row) for row in await connection.fetch(QUERIES["awards"], mentors)]
    found = msgspec.json.encode(list(_changed(awards, decided))).decode()
    await connection.execute(QUERIES["note_found"], log_id, found)
    places = [partition_of(mentor, partitions) for mentor in mentors]
    await connection.execute(QUERIES["carry_over"], log_id, mentors, places)


def _changed(
    awards: Iterable[Award], waiting: Iterable[Decision | MentorDeleted]
) -> Iterator[Found]:
    before = {(each.peer_mentor_id, each.badge_definition_id): each for each in awards}
    after = turns.once_written(before.values(), waiting)
    for pair in sorted(before.keys() | after.keys()):
        if pair not in after:
            yield Found(before[pair], gone=True)
        elif before.get(pair) != after[pair]:
            yield Found(after[pair])
