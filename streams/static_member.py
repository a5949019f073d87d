"""A worker's name in its consumer group, kept over restarts.

A static member that is killed and comes back under its name gets its partitions at once, without
waiting for its dead session. A name is the host, the id of a directory, and a slot number. The slot
is a file lock in that directory, which the kernel gives back when the process ends in any way, so
two live workers never share one; and two containers that call themselves the same, each with a
directory of its own, have different ids.

Where two live workers have one name all the same, the later takes the place of the earlier, which
learns at its next heartbeat that it is unknown, joins again, and takes the place of the later one;
for ever. `Displaced` and `name_is_taken` tell.
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

import aiokafka.errors
from aiokafka.errors import BrokerResponseError

from streams import private_directory

_MOST_WORKERS = 1024
_ID_BYTES = 8

_TIMES_DISPLACED = 3
"""Once says nothing: a machine that was suspended is unknown to the group afterwards too."""


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
        for slot in range(_MOST_WORKERS):
            lock = private_directory.open_file(folder, f"{cluster}-{slot}.lock")
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(lock)
            else:
                return slot, lock
        full = f"more than {_MOST_WORKERS} workers hold a lock"
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
        known = os.pread(file, _ID_BYTES, 0).decode("ascii", "replace")
        if not re.fullmatch(r"[0-9a-f]{8}", known):
            known = secrets.token_hex(_ID_BYTES // 2)
            os.pwrite(file, known.encode(), 0)
    finally:
        os.close(file)
    return known


class FencedInstanceId(BrokerResponseError):  # type: ignore[misc]
    """What Kafka says to a member whose name another has taken while both were joining."""

    errno = 82
    message = "FENCED_INSTANCE_ID"
    description = "Another member has joined the group under this static member's name."


# aiokafka takes the codes that it does not know for one unknown error.
aiokafka.errors.kafka_errors[FencedInstanceId.errno] = FencedInstanceId


class Displaced:
    """Tells from a member's assignments when somebody else keeps taking its place.

    Every change in the group gives it a new generation. A member that is assigned its partitions
    again within the same one was replaced under its name, and has replaced the other.
    """

    def __init__(self, within: float) -> None:
        """`within` is in seconds: so close together the last replacements have to be."""
        self._within = within
        self._generation = -1
        self._at: list[float] = []

    def assigned(self, generation: int, now: float) -> bool:
        """Note an assignment at `now` (monotonic seconds); whether the name is taken."""
        if generation != self._generation:
            self._generation = generation
            self._at.clear()
            return False
        self._at.append(now)
        return (
            len(self._at) >= _TIMES_DISPLACED and now - self._at[-_TIMES_DISPLACED] <= self._within
        )


def name_is_taken(error: BaseException | None) -> bool:
    """Whether Kafka says so in the error, or in what caused it."""
    while error is not None:
        # aiokafka passes on what it does not expect as the text of another error.
        if isinstance(error, FencedInstanceId) or FencedInstanceId.__name__ in str(error):
            return True
        error = error.__cause__ or error.__context__
    return False
