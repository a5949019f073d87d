"""Everything that is kept about one person, as one JSON document."""

import json
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import IO, Any

from badges.privacy import kept, log_records
from badges.privacy.person import Person
from badges.upkeep.dead_letters import Shelf
from schema import history
from sinks.pool import Connection


@dataclass
class _Document:
    """JSON that is written as it comes, so that it may be longer than memory."""

    out: IO[str]
    counts: dict[str, int] = field(default_factory=dict)

    def begin(self, head: dict[str, Any]) -> None:
        self.out.write(json.dumps(head, ensure_ascii=False)[:-1] + ', "sections": {')

    async def section(self, name: str, rows: AsyncIterator[str]) -> None:
        self.out.write(f'{", " if self.counts else ""}"{name}": [')
        self.counts[name] = 0
        async for row in rows:
            self.out.write(f"{', ' if self.counts[name] else ''}\n{row}")
            self.counts[name] += 1
        self.out.write("]")

    def end(self) -> None:
        self.out.write("}}\n")


async def _each(rows: Iterable[str]) -> AsyncIterator[str]:
    for row in rows:
        yield row


async def export(
    connection: Connection, shelf: Shelf, mentor: str, out: IO[str], *, with_log: bool
) -> dict[str, int]:
    """Write the document, and return how much of each section there is.

    Postgres is read as it is at one moment. `with_log` writes every record of the log too.
    """
    document = _Document(out)
    await kept.show_all_rows(connection)
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        document.begin(await _head(connection, mentor))
        known = await kept.own_tables(connection)
        for table, column in kept.tables_of_mentors(known):
            rows = kept.own_rows(connection, table, column, mentor)
            await document.section(table.partition(".")[2], rows)
        person = await _log(document, connection, shelf, mentor, with_log)
        everybodys = await kept.everybodys_ids(connection)
        for table, own_table in known.items():
            if own_table.words:
                found = await kept.mentions(connection, table, own_table, person)
                texts = [person.without_others(row, everybodys) for _, row, _ in found]
                await document.section(table.partition(".")[2], _each(texts))
            if own_table.found:
                rest = await kept.found_awards(connection, table, own_table.found, mentor)
                await document.section(f"{table.partition('.')[2]}_{own_table.found}", _each(rest))
        done = await kept.acts(connection, known, mentor)
        acts = (json.dumps({"column": name, "rows": rows}) for name, rows in done.items())
        await document.section("acts", _each(acts))
        await document.section("dead_letters", _each(await _letters(shelf, person)))
    document.end()
    return document.counts


async def _head(connection: Connection, mentor: str) -> dict[str, Any]:
    applied = await history.applied(connection)
    return {
        "peer_mentor_id": mentor,
        "exported_at": (await connection.fetchval("SELECT now()")).isoformat(),
        "versions": {"badges": version("badge-streams"), "schema": max(applied, default=None)},
        "is_deleted": not await kept.is_there(connection, mentor),
    }


async def _log(
    document: _Document, connection: Connection, shelf: Shelf, mentor: str, with_log: bool
) -> Person:
    """Write how much the log has, and every record if that is asked for; the person by all ids."""
    counts = log_records.RecordCounts(await kept.own_ids(connection, mentor))

    async def items() -> AsyncIterator[str]:
        async for generation, record in log_records.read(connection, shelf, mentor):
            counts.add(generation, record)
            if with_log:
                yield json.dumps(log_records.item(generation, record))

    if with_log:
        await document.section("log_records", items())
    else:
        async for _ in items():
            pass
    await document.section("log", _each(map(json.dumps, counts.topics())))
    return await kept.person(connection, mentor, counts.rows)


async def _letters(shelf: Shelf, person: Person) -> list[str]:
    return [
        json.dumps(
            {
                "key": key.encode(errors="backslashreplace").decode(),
                "at": letter.at.isoformat(),
                "table": letter.table,
                "row_id": letter.row_id,
                "reason": letter.reason,
                "value": (letter.value or b"").decode(errors="backslashreplace"),
            }
        )
        for key, letter in (await shelf.letters()).items()
        if person.named_by(letter)
    ]
