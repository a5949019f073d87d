"""A site of a test's own, of whatever version of badges is imported."""

from dataclasses import dataclass

from badges.console.stack.filling import Site


@dataclass(frozen=True)
class OwnSite(Site):
    """A site whose connector reads a database of the test's own, not the one in Connect's mind."""

    database: str = ""

    def configuration(self, number: int) -> dict[str, str]:
        return {**super().configuration(number), "database.dbname": self.database}
