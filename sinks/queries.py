"""The statements of this package's .sql files by name: `QUERIES["position"]`."""

import re
from collections.abc import Mapping
from importlib.resources import files

_FILES = ("queries.sql", "refused.sql", "repairs.sql")

_NAME = re.compile(r"^-- name: (\w+)\n", re.MULTILINE)
_INCLUDE = re.compile(r"^ *-- include: (\w+)\n", re.MULTILINE)
_TRAILING_COMMENTS = re.compile(r"(\n--[^\n]*)*\s*\Z")


def parse(text: str) -> dict[str, str]:
    """Return the blocks of an SQL file; `-- include: NAME` stands for an earlier block's text.

    A comment above a block's name belongs to that block and is left out with it.
    """
    _, *parts = _NAME.split(text)
    blocks: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in blocks:
            raise ValueError(f"two blocks are named {name}")
        whole = _INCLUDE.sub(lambda found: blocks[found[1]] + "\n", body)
        blocks[name] = _TRAILING_COMMENTS.sub("", whole).rstrip("; \n")
    return blocks


QUERIES: Mapping[str, str] = parse(
    "\n".join(files("sinks").joinpath(name).read_text(encoding="utf-8") for name in _FILES)
)
