"""The languages that people are spoken to in."""

from typing import Literal, TypeAlias

Language: TypeAlias = Literal["en", "nb"]
"""English, or Norwegian Bokmaal."""
