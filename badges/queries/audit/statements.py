"""The audit's statements by name."""

from collections.abc import Mapping
from importlib.resources import files
from typing import Final

from sinks.queries import parse

AUDIT: Final[Mapping[str, str]] = parse(
    files(__package__).joinpath("statements.sql").read_text(encoding="utf-8")
)
