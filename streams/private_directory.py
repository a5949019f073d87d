"""A directory that nobody else may write to, in places where everybody may.

Whoever opens a file there by its path, in the temporary folder say, opens what somebody else put
there first: a link to another file, or a directory of theirs.
"""

import errno
import os
import stat
from contextlib import suppress
from pathlib import Path

_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def open_directory(path: Path, mode: int = 0o700) -> int:
    """Make the directory unless it is there, and return a descriptor of it for `dir_fd`.

    Raises OSError when it is a link or no directory, or others own it or may write to it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileExistsError):
        path.mkdir(mode)
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    try:
        folder = os.open(path, flags)
    except OSError as error:
        if not path.is_symlink():
            raise
        raise OSError(error.errno, "it is a link, which anybody may have put there", path) from None
    try:
        _refuse_others(os.fstat(folder), path)
    except BaseException:
        os.close(folder)
        raise
    return folder


def is_own(path: Path) -> bool:
    try:
        _refuse_others(path.stat(), path)
    except OSError:
        return False
    return path.is_dir()


def open_file(folder: int, name: str) -> int:
    """Open a file of the directory to read and write, made if it is missing; never through a link.

    What it holds stays. Returns its descriptor, which no other program inherits.
    """
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    return os.open(name, flags, 0o600, dir_fd=folder)


def _refuse_others(found: os.stat_result, path: Path) -> None:
    if found.st_uid != os.geteuid():
        raise PermissionError(errno.EPERM, f"it belongs to another user ({found.st_uid})", path)
    if found.st_mode & _OTHERS_WRITE:
        raise PermissionError(errno.EPERM, "others may write to it", path)
