"""Finding, of many rows, those that Postgres refuses: by savepoints, and halves of halves."""

from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Generic, TypeVar

import asyncpg

from sinks.failures import Refusal
from sinks.pool import Connection

_ALONE = 16
"""So many of one group are tried alone; then the others in its company count as refused too."""

_DOUBTFUL = 3
"""So many are tried alone in vain before an error that names no row is about none of them."""

Item = TypeVar("Item")
Applied = TypeVar("Applied")


class Isolation(Generic[Item, Applied]):
    """Applies items in savepoints, and finds those that are refused.

    `apply` writes some and returns what came of it; `run` returns all of that. `judge` says why an
    error refuses, or raises it when it is about no row. `refuse` hears of each refused item. Items
    of one `group` are likely to be refused together.
    """

    def __init__(
        self,
        connection: Connection,
        apply: Callable[[Sequence[Item]], Awaitable[list[Applied]]],
        judge: Callable[[asyncpg.PostgresError], Awaitable[Refusal]],
        refuse: Callable[[Item, Refusal], None],
        group: Callable[[Item], Hashable],
    ) -> None:
        self._connection = connection
        self._apply = apply
        self._judge = judge
        self._refuse = refuse
        self._group = group
        self._alone: dict[Hashable, tuple[int, Refusal]] = {}
        self._passed = False
        self._doubtful: list[asyncpg.PostgresError] = []

    async def run(self, items: Sequence[Item]) -> list[Applied]:
        """Apply all that are not refused. Raises what refuses every one and may be about none."""
        applied = await self._part(items)
        if self._doubtful and not self._passed:
            raise self._doubtful[0]
        return applied

    async def _part(self, items: Sequence[Item]) -> list[Applied]:
        if not items:
            return []
        try:
            async with self._connection.transaction():
                applied = await self._apply(items)
        except asyncpg.PostgresError as error:
            refusal = await self._judge(error)
            if len(items) == 1:
                self._refuse_one(items[0], refusal, error)
                return []
            items = self._without_company(items)
        else:
            self._passed = True
            return applied
        middle = (len(items) + 1) // 2
        first = await self._part(items[:middle])
        return first + await self._part(items[middle:])

    def _refuse_one(self, item: Item, refusal: Refusal, error: asyncpg.PostgresError) -> None:
        if not refusal.of_rows and not self._passed:
            self._doubtful.append(error)
            if len(self._doubtful) == _DOUBTFUL:
                raise error
        group = self._group(item)
        count, _ = self._alone.get(group, (0, refusal))
        self._alone[group] = count + 1, refusal
        self._refuse(item, refusal)

    def _without_company(self, items: Sequence[Item]) -> Sequence[Item]:
        left = []
        for item in items:
            alone = self._alone.get(self._group(item))
            if alone is None or alone[0] < _ALONE:
                left.append(item)
            else:
                self._refuse(item, alone[1])
        return left
