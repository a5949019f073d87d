"""The migrations: plain SQL files named timestamp_name.sql, in the order of their names."""

from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from importlib.resources.abc import Traversable

from schema.statements import split

MARK = "-- badge-streams: "
"""What each file after UNMARKED begins with. The record of what was applied is the application's
too: by this an older version of ours knows that the database is a newer one's.
"""

UNMARKED = "20261202090200"
"""The last version without MARK: every version that asks for it has these files."""


@dataclass(frozen=True)
class Migration:
    """One file: its timestamp is the version that is recorded as applied."""

    version: str
    name: str
    sql: str

    @property
    def title(self) -> str:
        """The file's name without its end."""
        return f"{self.version}_{self.name}"

    @property
    def statements(self) -> list[str]:
        """The statements of the file in order, without their semicolons."""
        return split(self.sql)


@cache
def load() -> tuple[Migration, ...]:
    """Every migration, oldest first."""
    found = sorted(
        (entry for entry in files(__name__).iterdir() if entry.name.endswith(".sql")),
        key=lambda entry: entry.name,
    )
    return tuple(_read(entry) for entry in found)


def _read(entry: Traversable) -> Migration:
    version, name = entry.name.removesuffix(".sql").split("_", 1)
    return Migration(version, name, entry.read_text("utf-8"))
