"""Events of the unlock feed, a page at a time, as badges_private.unlocks gives them."""

from typing import Final

import msgspec
from asyncpg import Record
from fastapi.sse import format_sse_event
from msgspec import Struct

MOST: Final = 1_000
"""The events of one page."""


class Unlock(Struct, frozen=True):
    """An event: whose it is, what clients are sent of it, and the place in the feed behind it."""

    cursor: str
    organization_id: str
    peer_mentor_id: str
    kind: str
    age: float
    """Seconds since its transaction began."""
    unlock: msgspec.Raw

    @property
    def frame(self) -> bytes:
        """The event as it is sent."""
        return format_sse_event(
            id=self.cursor, event=self.kind, data_str=bytes(self.unlock).decode()
        )


_UNLOCKS: Final = msgspec.json.Decoder(list[Unlock])


class UnlockPage(Struct, frozen=True):
    """Some events, and the cursor behind them; `is_last` when no more were there to be read."""

    unlocks: list[Unlock]
    next: str
    is_last: bool


def page_of(row: Record) -> UnlockPage:
    """The page of a row."""
    return UnlockPage(_UNLOCKS.decode(row["unlocks"]), row["next"], row["finished"])
