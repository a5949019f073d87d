"""A site of a test's own, of whatever version of badges is imported."""

from dataclasses import dataclass

from streams.log.filling import Site


@dataclass(frozen=True)
class OwnSite(Site):
    """A site whose connector reads a database of the test's own, not the one in Connect's mind."""

    database: str = ""

    def configuration(self, number: int, /, *stand_in: str) -> dict[str, str]:
        # An earlier version has no stand-ins of its own.
        return {**super().configuration(number, *stand_in), "database.dbname": self.database}
