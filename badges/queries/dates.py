"""Dates and instants as Python can hold them: those of Postgres reach further."""


def near_date(column: str) -> str:
    """SQL for a date, or the nearest one within the years 1 to 9999."""
    return _near(column, "date '0001-01-01'", "date '9999-12-31'")


def near_instant(column: str) -> str:
    """SQL for an instant, or the nearest one within the years 1 to 9999."""
    return _near(
        column,
        "timestamptz '0001-01-01 00:00+00'",
        "timestamptz '9999-12-31 23:59:59.999999+00'",
    )


def _near(column: str, first: str, last: str) -> str:
    # The bounds alone would make a date of none.
    return f"CASE WHEN {column} IS NOT NULL THEN least(greatest({column}, {first}), {last}) END"
