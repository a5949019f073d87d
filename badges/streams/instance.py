"""A worker's name in its consumer group, kept over restarts.

A static member that is killed and comes back under its name gets its partitions at once, without
waiting for its dead session. A name is the host and a slot number; the slot is a file lock, which
the kernel gives back when the process ends in any way, so two live workers never share one.
"""

import fcntl
import hashlib
import os
import socket
import tempfile
from pathlib import Path
from typing import IO

MOST_WORKERS = 1024


class Instance:
    """Holds the lowest free slot of this host for a group until the process ends."""

    def __init__(self, group: str, bootstrap: str, directory: Path | None = None) -> None:
        """Take a slot. `directory` holds the lock files; the default is one of the user's own."""
        cluster = hashlib.sha256(f"{group}@{bootstrap}".encode()).hexdigest()[:12]
        self.directory = directory or Path(tempfile.gettempdir()) / f"badges-{os.getuid()}"
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        slot, self._lock = self._take(cluster)
        self.name = f"{socket.gethostname()}-{slot}"

    def _take(self, cluster: str) -> tuple[int, IO[str]]:
        for slot in range(MOST_WORKERS):
            lock = (self.directory / f"{cluster}-{slot}.lock").open("w")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                lock.close()
            else:
                return slot, lock
        raise OSError(f"more than {MOST_WORKERS} workers hold a lock in {self.directory}")
