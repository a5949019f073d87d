"""A site of a test's own, of whatever version of badges is imported."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from streams.filling.site import Site

RARELY = {"poll.interval.ms": "50"}
"""Connectors that look for rows as often as the real one take a twelfth of a core doing nothing."""


@dataclass(frozen=True)
class OwnSite(Site):
    """A site whose connector reads a database of the test's own, not the one in Connect's mind."""

    database: str = ""
    more: Mapping[str, str] = field(default_factory=dict)
    """Further settings of the connector."""

    def configuration(self, number: int, /, *stand_in: str) -> dict[str, str]:
        # An earlier version has no stand-ins of its own.
        return {
            **super().configuration(number, *stand_in),
            "database.dbname": self.database,
            **RARELY,
            **self.more,
        }
