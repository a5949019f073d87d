"""A partition's files in the hands of tests: what a power cut leaves of them."""

import struct
from pathlib import Path

_BATCH = struct.Struct(">qi")
"""How a batch begins: its first offset, and its length without these twelve bytes."""

_CHECKPOINTS = (
    "replication-offset-checkpoint",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    ".kafka_cleanshutdown",
)


def cut(data: Path, topic: str, partition: int, batches: int) -> int:
    """Take the last batches off a partition of a broker that does not run; the end it has then.

    Indexes, producers' snapshots and checkpoints go as well: the broker makes them anew.
    """
    folder = data / f"{topic}-{partition}"
    (segment,) = folder.glob("*.log")
    starts = _batches(segment.read_bytes())
    assert len(starts) > batches, f"{segment} has {len(starts)} batches"
    end, place = starts[-batches]
    with segment.open("r+b") as file:
        file.truncate(place)
    for kind in ("*.index", "*.timeindex", "*.snapshot", "leader-epoch-checkpoint"):
        for made_anew in folder.glob(kind):
            made_anew.unlink()
    for name in _CHECKPOINTS:
        (data / name).unlink(missing_ok=True)
    return end


def _batches(content: bytes) -> list[tuple[int, int]]:
    """First offset and place in the file of each batch."""
    found, place = [], 0
    while place + _BATCH.size <= len(content):
        offset, length = _BATCH.unpack_from(content, place)
        if length <= 0:  # what is allocated and not written
            break
        found.append((offset, place))
        place += _BATCH.size + length
    return found
