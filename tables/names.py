"""Names that count: types of activities and codes of courses, by their first characters."""

from typing import Final

COUNTED: Final = 200
"""How many characters (code points) of a name count; names that begin alike are one."""


def counted(name: str) -> str:
    """A name as it counts."""
    return name[:COUNTED]
