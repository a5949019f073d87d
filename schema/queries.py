"""The queries of `catalog.sql` and `checks.sql` by name."""

from importlib.resources import files

from sinks import queries

_FILES = ("catalog.sql", "checks.sql")

# Which awards are held twice is asked as the worker asks it.
_SHARED = f"-- name: duplicate_awards\n{queries.QUERIES['duplicate_awards']};\n\n"

QUERIES = queries.parse(
    _SHARED + "\n".join(files(__package__).joinpath(name).read_text("utf-8") for name in _FILES)
)
