"""Checkpoints that hold a person, where this machine has any that this user may read."""

import mmap
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from streams.checkpoint_files import KEPT


def holding(directory: Path | None, mentor: str) -> Iterator[Path]:
    """The checkpoints in a worker's directory that hold a mentor; none if they cannot be read.

    They have a mentor's id as text, and are larger than memory should be for this.
    """
    with suppress(OSError):
        for path in sorted(directory.glob(f"*{KEPT}")) if directory else ():
            if _holds(path, mentor.encode()):
                yield path


def remove(directory: Path | None, mentor: str) -> int:
    """Remove these files, and return how many they were: a worker reads the log in their place."""
    number = 0
    for path in holding(directory, mentor):
        # A worker may have put a newer one in its place meanwhile: that costs time, nothing else.
        path.unlink(missing_ok=True)
        number += 1
    return number


def _holds(path: Path, text: bytes) -> bool:
    # An empty file cannot be mapped, and one that a worker replaces is gone.
    with (
        suppress(ValueError, FileNotFoundError),
        path.open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        return content.find(text) >= 0
    return False
