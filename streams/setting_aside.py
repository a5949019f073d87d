"""What cannot be used is kept as a dead letter, and told; too much of it makes a partition stand.

A record that nobody can read is one row's trouble. Many in a row are a column's: going on would
count rows as gone that are there, so the partition waits until the columns are as they must be.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

from sinks.alerts import Alerts
from sinks.base import DeadLetter, DeadLetters
from sinks.column_types import WrongType
from sinks.dead_letters import subject_of
from streams.unusable import MOST_IN_A_ROW, Outline

KIND: Final = "dead_letters"
_LIST: Final = "badges dead-letters list"


class SettingAside:
    """What the partition workers of a process share for records that cannot be used."""

    def __init__(
        self,
        topic: str,
        dead_letters: DeadLetters,
        wrong_types: Callable[[str], Awaitable[Sequence[WrongType]]],
        alerts: Alerts,
    ) -> None:
        self._topic = topic
        self._dead_letters = dead_letters
        self.wrong_types = wrong_types
        """The columns of a table that the log cannot carry now. Raises Unavailable."""
        self._alerts = alerts

    async def keep(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the dead letters are durable; an alert tells of the first of each table.

        Raises Unavailable.
        """
        await self._dead_letters.send(letters)
        await tell(self._alerts, letters, self._topic)

    def stands(
        self, partition: int, offset: int, unusable: Outline, wrong: Sequence[WrongType]
    ) -> Mapping[str, object]:
        """What an alert says of a partition that stands still before a record."""
        return {
            "message": f"partition {partition} stands still: {MOST_IN_A_ROW} records of "
            f"{unusable.table} in a row could not be used, and {', '.join(map(str, wrong))}. It "
            "goes on by itself once that is mended: `badges migrate --check` prints the statement",
            "columns": [{"column": each.column, "type": each.found} for each in wrong],
            "table": unusable.table,
            "topic": self._topic,
            "partition": partition,
            "offset": offset,
            "row": unusable.id,
        }


async def tell(alerts: Alerts, letters: Iterable[DeadLetter], topic: str) -> None:
    """Open an alert of the first one of each table, unless one is open; `topic` is the log's."""
    firsts: dict[str, DeadLetter] = {}
    for letter in letters:
        firsts.setdefault(subject_of(letter), letter)
    for subject, letter in firsts.items():
        of_table = f" of {letter.table}" if letter.table else ""
        await alerts.raise_alert(
            KIND,
            {
                "message": f"a record{of_table} cannot be used: {letter.reason}. "
                f"See `{_LIST}`; once it is mended, `badges dead-letters retry` takes it in",
                "reason": letter.reason,
                "topic": topic,
                "partition": letter.partition,
                "offset": letter.offset,
                "row": letter.row_id,
            },
            subject=subject,
        )
