"""A worker's name in its consumer group, kept over restarts.

A static member that is killed and comes back under its name gets its partitions at once, without
waiting for its dead session. A name is the host, the id of a directory, and a slot number. The slot
is a file lock in that directory, which the kernel gives back when the process ends in any way, so
two live workers never share one; and two containers that call themselves the same, each with a
directory of its own, have different ids.
"""

import errno
import fcntl
import hashlib
import os
import re
import secrets
import socket
import tempfile
from pathlib import Path

from streams import private_directory

MOST_WORKERS = 1024
ID_BYTES = 8


class StaticMember:
    """Holds the lowest free slot of a directory for a group until the process ends."""

    def __init__(self, group: str, bootstrap: str, directory: Path | None = None) -> None:
        """Take a slot in a folder of the user's own inside `directory`.

        Without one it is the user's runtime directory (XDG_RUNTIME_DIR), else the temporary folder.
        Raises OSError when the folder is not safe, or cannot be written to.
        """
        cluster = hashlib.sha256(f"{group}@{bootstrap}".encode()).hexdigest()[:12]
        self.directory = (directory or _everyday_place()) / f"badges-{os.geteuid()}"
        folder = private_directory.open_directory(self.directory)
        try:
            identity = _identity(folder)
            slot, self._lock = self._take(folder, cluster)
        finally:
            os.close(folder)
        self.name = f"{socket.gethostname()}-{identity}-{slot}"

    def _take(self, folder: int, cluster: str) -> tuple[int, int]:
        for slot in range(MOST_WORKERS):
            lock = private_directory.open_file(folder, f"{cluster}-{slot}.lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                return slot, lock
        full = f"more than {MOST_WORKERS} workers hold a lock"
        raise OSError(errno.EAGAIN, full, self.directory)


def _everyday_place() -> Path:
    """The runtime directory, unless it is another user's, whose variable was inherited."""
    given = Path(os.environ.get("XDG_RUNTIME_DIR", ""))
    if given.is_absolute() and private_directory.is_own(given):
        return given
    return Path(tempfile.gettempdir())


def _identity(folder: int) -> str:
    """The directory's id, made by whoever is the first to ask, and from then on the same."""
    file = private_directory.open_file(folder, "id")
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        known = os.pread(file, ID_BYTES, 0).decode("ascii", "replace")
        if not re.fullmatch(r"[0-9a-f]{8}", known):
            known = secrets.token_hex(ID_BYTES // 2)
            os.pwrite(file, known.encode(), 0)
    finally:
        os.close(file)
    return known
