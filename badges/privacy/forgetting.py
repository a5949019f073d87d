"""What is left of a person whom the application has deleted: found, removed, and told where not."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from msgspec import Struct

from badges.privacy import checkpoints, erasing, kept, letters, log_records
from badges.privacy.person import Person
from badges.upkeep import dead_letters
from badges.upkeep.dead_letters import Shelf
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure
from streams.lag.catching_up import partitions_behind
from streams.log import generations
from streams.log.topics import partition_of


class Left(Struct, frozen=True):
    """Something that stays, and until when; without an `until`, somebody has to do something."""

    where: str
    what: str
    why: str
    until: str | None = None


class Forgotten(Struct, frozen=True):
    """What was found of a person by kind (a table, `dead_letters` or `checkpoints`), and what came.

    Of a dry run nothing is removed.
    """

    mentor: str
    found: Mapping[str, int]
    removed: Mapping[str, int]
    left: Sequence[Left]


async def forget(
    connection: Connection,
    shelf: Shelf,
    mentor: str,
    *,
    names: Sequence[str],
    url: str,
    directory: Path | None,
    limit: float,
    dry_run: bool,
) -> Forgotten:
    """Remove what is left of a mentor, and wait `limit` seconds for whatever has to come first.

    `names` are removed too, where an application's errors repeat them in alerts. The connection,
    and `url`, are those of the tables' owner; `directory` is where workers of this machine keep
    checkpoints. Raises Failure while the application still has the mentor's row.
    """
    await kept.show_all_rows(connection)
    await _refuse_who_is_there(connection, mentor)
    left = [] if dry_run else await _undecided(connection, shelf, mentor, limit)
    counts = await _in_logs(connection, shelf, mentor)
    person = await kept.person(connection, mentor, counts.rows)
    about = await letters.about(shelf, person)
    rows = person.rows | {each.row_id for each in about.values() if each.row_id}
    person = replace(await kept.person(connection, mentor, rows), names=tuple(names))
    known = await kept.own_tables(connection)
    found = dict(await erasing.found(connection, known, person))
    found["dead_letters"] = len(about)
    found["checkpoints"] = len(list(checkpoints.holding(directory, mentor)))
    removed: dict[str, int] = {}
    if not dry_run:
        if about:
            await shelf.store.remove(about.keys())
            await dead_letters.close_alerts(url, shelf)
        async with connection.transaction():
            await _refuse_who_is_there(connection, mentor)
            removed = dict(await erasing.erase(connection, known, person))
        removed["dead_letters"] = len(about)
        removed["checkpoints"] = checkpoints.remove(directory, mentor)
        left += await _uncleaned(shelf, person, limit)
    left += await _of_the_application(connection, known, person)
    left += [each for told in counts.topics() for each in _of_the_log(told)]
    return Forgotten(mentor, _by_name(found), _by_name(removed), left)


async def _in_logs(connection: Connection, shelf: Shelf, mentor: str) -> log_records.RecordCounts:
    counts = log_records.RecordCounts()
    async for record in log_records.read(connection, shelf, mentor):
        counts.add(*record)
    return counts


async def _refuse_who_is_there(connection: Connection, mentor: str) -> None:
    if await kept.is_there(connection, mentor):
        raise Failure(
            f"the mentor {mentor} is in peer_mentors: what is kept about them belongs there",
            hint=f"Delete the row in the application (DELETE FROM peer_mentors WHERE id = "
            f"'{mentor}'), which takes their awards, events and stats along, and run this again",
            code=FOUND_A_PROBLEM,
        )


async def _undecided(connection: Connection, shelf: Shelf, mentor: str, limit: float) -> list[Left]:
    """What a worker may still write, because it has not come to the mentor's delete yet."""
    log = await generations.live(connection)
    if log is None:
        return []
    partition = partition_of(mentor, log.partitions)
    late = await partitions_behind(connection, shelf.cluster, log, {partition}, limit)
    why = "until a worker has decided the delete, it may keep another dead letter of theirs: "
    return [Left(log.topic, "the mentor's delete", f"{why}{each}") for each in late.values()]


async def _uncleaned(shelf: Shelf, person: Person, limit: float) -> list[Left]:
    found = await letters.until_cleaned(shelf, person, limit)
    left = []
    if found.records:
        left.append(
            Left(
                shelf.topic,
                f"records of removed dead letters: {found.records}",
                "they are removed, and no command reads them, but the broker has not cleaned its "
                "files yet",
                "the broker cleans them, within a minute where max.compaction.lag.ms is 1000; run "
                "this again to see",
            )
        )
    if found.removals:
        left.append(
            Left(
                shelf.topic,
                f"records of removals whose key has the mentor's id: {found.removals}",
                "older versions named a dead letter of a decision by its mentor",
                "a day from now (delete.retention.ms)",
            )
        )
    return left


async def _of_the_application(
    connection: Connection, known: Mapping[str, Any], person: Person
) -> list[Left]:
    rows = await erasing.left_in_sources(connection, person.mentor)
    acts = await kept.acts(connection, known, person.mentor)
    return [
        Left(
            table,
            f"rows of the mentor: {number}",
            "they are the application's, and no foreign key took them along: delete them there",
        )
        for table, number in rows.items()
    ] + [
        Left(
            column,
            f"rows that name them as who did it: {number}",
            "who decided about others' badges is kept with what was decided",
            "these rows go",
        )
        for column, number in acts.items()
    ]


def _of_the_log(told: Mapping[str, Any]) -> list[Left]:
    over = "" if told["state"] == "live" else " without --keep"
    records = Left(
        told["topic"],
        f"records of ids, dates, types and numbers: {told['records']}",
        "a log is written once; its ids are random, and nothing resolves them any more",
        f"`badges resnapshot`{over}: the next generation has nothing of them",
    )
    if told["state"] != "live":
        return [records]
    files = Left(
        "checkpoints of other machines",
        "what workers held of them",
        "a worker replaces such a file within a minute of having decided the delete",
        "a minute from then; where no worker runs any more, delete the folder",
    )
    return [records, files]


def _by_name(counts: Mapping[str, int]) -> dict[str, int]:
    return {name.rpartition(".")[2]: number for name, number in counts.items() if number}
