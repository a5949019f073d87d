"""What differs between a database and what this project needs."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias

Consequence: TypeAlias = Literal["mend", "stop", "report"]
"""`migrate` mends it; stops before it changes anything, because it belongs to somebody else; or
only reports it, because the database serves as it is."""


@dataclass(frozen=True)
class Deviation:
    """One thing that is not as it must be, and the SQL statement that mends it.

    The statement may be a command of ours, and is empty where no statement can mend it.
    """

    where: str
    found: str
    needed: str
    statement: str
    consequence: Consequence = "mend"
    spoils_log: bool = False
    """Whether a log that is filled now would lack rows or columns, or could not be filled."""
    check: str = "columns"
    """Which check found it: a query of checks.sql, the kind of a thing, or what it is about."""

    def lines(self) -> str:
        """The difference in a sentence, and its statement indented below."""
        sentence = f"{self.where} {self.found} (needed: {self.needed})."
        if not self.statement:
            return sentence
        statement = self.statement.replace("\n", "\n    ")
        return f"{sentence} Mend it with:\n    {statement}"


def of(consequence: Consequence, differences: Iterable[Deviation]) -> list[Deviation]:
    return [each for each in differences if each.consequence == consequence]
