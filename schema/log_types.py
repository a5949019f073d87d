"""The types of the published columns, for whoever reads them from the log."""

from schema.wanted import ALIKE, TABLES, WANTED
from sinks.column_types import Wanted


def log_types() -> Wanted:
    """By table and column, the types that `badges migrate` accepts."""
    return {
        name: {
            column.name: ALIKE.get(column.type, {column.type})
            for column in TABLES[name]
            if column.name in published
        }
        for name, published in WANTED.published.items()
    }
