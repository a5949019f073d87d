"""A logical slot on the publication, read as the connector reads it."""

from collections import Counter
from enum import Enum
from typing import Self, TypeAlias

from sinks.pool import Connection


class Text(Enum):
    """What stands for a text that is not sent."""

    UNCHANGED = "not sent"


Row: TypeAlias = dict[str, str | Text | None]


class Slot:
    """Messages of pgoutput from the moment in which the slot is entered."""

    def __init__(self, db: Connection) -> None:
        self._db = db
        self._relations: dict[bytes, tuple[str, list[str]]] = {}
        self._unread: list[bytes] = []

    async def __aenter__(self) -> Self:
        await self._db.execute(
            "SELECT pg_create_logical_replication_slot('probe_' || current_database(), 'pgoutput')"
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._db.execute("SELECT pg_drop_replication_slot('probe_' || current_database())")

    async def messages(self) -> list[bytes]:
        """All messages since the slot was entered."""
        rows = await self._db.fetch(
            "SELECT data FROM pg_logical_slot_get_binary_changes('probe_' || current_database(), "
            "NULL, NULL, 'proto_version', '1', 'publication_names', 'badges_mentor_log')"
        )
        self._unread += [row["data"] for row in rows]
        for message in self._unread:
            if message[:1] == b"R":
                self._relations[message[1:5]] = _relation(message)
        return self._unread

    async def deletes(self) -> Counter[str]:
        """How many rows of which table were deleted; fails on any other change."""
        seen: Counter[str] = Counter()
        for message in await self.messages():
            if message[:1] == b"D":
                seen[self._relations[message[1:5]][0]] += 1
            else:
                assert message[:1] in b"RBC", f"unexpected message {message[:1]!r}"
        return seen

    async def updated(self, table: str) -> list[Row]:
        """The new rows of a table's updates, published columns alone."""
        return [
            _row(message, self._relations[message[1:5]][1])
            for message in await self.messages()
            if message[:1] == b"U" and self._relations[message[1:5]][0] == table
        ]


def _relation(message: bytes) -> tuple[str, list[str]]:
    _, name, rest = message[5:].split(b"\0", 2)
    number, at, columns = int.from_bytes(rest[1:3]), 3, []
    for _ in range(number):
        end = rest.index(b"\0", at + 1)
        columns.append(rest[at + 1 : end].decode())
        at = end + 9
    return name.decode(), columns


def _row(message: bytes, columns: list[str]) -> Row:
    at = 5
    if message[at : at + 1] in (b"K", b"O"):
        _, at = _tuple(message, at + 1)
    assert message[at : at + 1] == b"N"
    values, _ = _tuple(message, at + 1)
    return dict(zip(columns, values, strict=True))


def _tuple(message: bytes, at: int) -> tuple[list[str | Text | None], int]:
    values: list[str | Text | None] = []
    number = int.from_bytes(message[at : at + 2])
    at += 2
    for _ in range(number):
        kind = message[at : at + 1]
        at += 1
        if kind == b"t":
            length = int.from_bytes(message[at : at + 4])
            values.append(message[at + 4 : at + 4 + length].decode())
            at += 4 + length
        else:
            values.append(Text.UNCHANGED if kind == b"u" else None)
    return values, at
