"""The types of the published columns, for whoever reads them from the log."""

from badges.schema.compare_log import PUBLISHED
from badges.schema.shape import ALIKE, RESULT, SOURCE, tables
from streams.column_types import Wanted


def log_types() -> Wanted:
    """By table and column, the types that `badges migrate` accepts."""
    return {
        name: {
            column.name: ALIKE.get(column.type, {column.type})
            for column in columns
            if column.name in PUBLISHED[name].split(", ")
        }
        for name, columns in tables(SOURCE + RESULT).items()
        if name in PUBLISHED
    }
