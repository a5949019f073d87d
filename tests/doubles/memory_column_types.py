"""Columns that are as a test says; `streams.column_types.ColumnTypes`."""

from collections.abc import Sequence

from streams.column_types import WrongType


class MemoryColumnTypes:
    """All right at first."""

    def __init__(self) -> None:
        self.wrong_now: list[WrongType] = []

    async def wrong(self, table: str) -> Sequence[WrongType]:
        """See `ColumnTypes.wrong`."""
        return [each for each in self.wrong_now if each.table == table]
