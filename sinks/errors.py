"""What the store raises where it has not written, or not told, what it was asked for."""

from collections.abc import Sequence


class StoreError(Exception):
    """The store does not do it; `sqlstate` is Postgres's reason, if it gave one."""

    def __init__(self, reason: str, *, sqlstate: str | None = None) -> None:
        super().__init__(reason)
        self.sqlstate = sqlstate


class Unavailable(StoreError):
    """It does not answer, or cannot do it now: nothing was written, try again."""


class Disconnected(Unavailable):
    """The connection was lost: whoever answers next may be another database."""


class Refused(StoreError):
    """Postgres refuses what is to be written; nothing was written."""


class Fenced(Exception):
    """The position moved without this writer, or its generation is closed: nothing was written."""


class NotYetVisible(Exception):
    """Something is missing that a transaction still in progress may bring."""

    def __init__(self, xids: Sequence[int]) -> None:
        self.xids = xids
        super().__init__(f"transactions {list(xids)} are in the log and not yet visible")
