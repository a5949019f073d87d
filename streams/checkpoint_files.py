"""The files of checkpoints: whole or not there, nobody else's, and no more of them than are used.

A file is a word that tells the format, parts (each its length and its bytes), and a checksum of all
that comes before. It belongs to the user alone: it tells of people.
"""

import os
import secrets
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from typing import Final

from streams import private_directory

_FORMAT: Final = b"badges checkpoint 1\n"
_LENGTH_BYTES: Final = 8
_CHECKSUM_BYTES: Final = 32

KEPT: Final = ".checkpoint"
"""How the names of whole files end."""
_BEING_WRITTEN: Final = ".writing"

UNUSED_SECONDS: Final = 24 * 3600
"""After so long a file goes that no worker has read, written or marked as in use."""
_ABANDONED_SECONDS: Final = 600
"""After so long a file goes that somebody began to write."""


class Damaged(Exception):
    """A file that cannot be used, and why not."""


def read(directory: Path, name: str) -> Sequence[memoryview] | None:
    """The parts of a file; None where there is none. Raises Damaged or OSError."""
    if not directory.exists():
        return None
    with _opened(directory) as folder:
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            found = os.open(name + KEPT, flags, dir_fd=folder)
        except FileNotFoundError:
            return None
        with os.fdopen(found, "rb") as file:
            content = file.read()
        os.utime(name + KEPT, dir_fd=folder)
    return list(_parts(content))


def _parts(content: bytes) -> Iterator[memoryview]:
    if not content.startswith(_FORMAT):
        raise Damaged("it is in another format")
    end = len(content) - _CHECKSUM_BYTES
    whole = memoryview(content)
    if end < len(_FORMAT) or _checksum([whole[:end]]) != content[end:]:
        raise Damaged("it is torn: its checksum is another one")
    place = len(_FORMAT)
    while place < end:
        length = int.from_bytes(whole[place : place + _LENGTH_BYTES])
        place += _LENGTH_BYTES
        yield whole[place : place + length]
        place += length


def write(directory: Path, name: str, parts: Sequence[bytes]) -> None:
    """Put a file in the place of the one of that name, if any, at once. Raises OSError."""
    being_written = f"{name}.{secrets.token_hex(4)}{_BEING_WRITTEN}"
    with _opened(directory) as folder:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        try:
            made = os.open(being_written, flags, 0o600, dir_fd=folder)
            with os.fdopen(made, "wb") as file:
                file.writelines(_framed(parts))
                file.flush()
                os.fsync(file.fileno())
            os.replace(being_written, name + KEPT, src_dir_fd=folder, dst_dir_fd=folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(being_written, dir_fd=folder)
            raise
        # Until then a crash of the machine may bring the earlier file back, or none.
        os.fsync(folder)


def _framed(parts: Sequence[bytes]) -> Sequence[bytes]:
    framed = [_FORMAT]
    for part in parts:
        framed += [len(part).to_bytes(_LENGTH_BYTES), part]
    return [*framed, _checksum(framed)]


def _checksum(pieces: Iterable[bytes | memoryview]) -> bytes:
    checksum = blake2b(digest_size=_CHECKSUM_BYTES)
    for piece in pieces:
        checksum.update(piece)
    return checksum.digest()


def touch(directory: Path, names: Iterable[str]) -> None:
    """Mark files as in use. Raises OSError."""
    with _opened(directory) as folder:
        for name in names:
            with suppress(FileNotFoundError):
                os.utime(name + KEPT, dir_fd=folder)


def remove_unused(directory: Path) -> None:
    """Remove what no worker has used for long, of whatever log. Raises OSError."""
    now = time.time()
    with _opened(directory) as folder:
        for name in os.listdir(folder):  # noqa: PTH208 - pathlib knows no descriptors
            longest = UNUSED_SECONDS if name.endswith(KEPT) else _ABANDONED_SECONDS
            if not name.endswith((KEPT, _BEING_WRITTEN)):
                continue
            # Another worker may have been faster.
            with suppress(FileNotFoundError):
                found = os.stat(name, dir_fd=folder, follow_symlinks=False)
                if now - found.st_mtime > longest:
                    os.unlink(name, dir_fd=folder)


@contextmanager
def _opened(directory: Path) -> Iterator[int]:
    """The directory, made if it is missing. Raises OSError where others may write to it."""
    folder = private_directory.open_directory(directory)
    try:
        yield folder
    finally:
        os.close(folder)
