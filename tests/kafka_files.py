"""A partition's files in the hands of tests: what a power cut leaves of them."""

import struct
from pathlib import Path

from msgspec import Struct

_HEAD = struct.Struct(">qii7xi")
"""How a batch begins: its first offset, its length without the twelve bytes up to here, the epoch
of the leader that wrote it, and how far its last offset is from the first."""

_BEFORE_LENGTH = 12
_NOT_CHECKED = struct.Struct(">qii")
"""What no checksum covers: first offset, length and epoch."""

_CHECKPOINTS = (
    "replication-offset-checkpoint",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    ".kafka_cleanshutdown",
)


class _Batch(Struct, frozen=True):
    first: int
    epoch: int
    records: int
    content: bytes


def cut(data: Path, topic: str, partition: int, offset: int, regrown: int = 0) -> int:
    """Take the batch with an offset, and all after it, off a partition of a broker that is stopped.

    If it is to have `regrown` again, copies of a record of its own fill it up to that end. Returns
    the end that it has then. Indexes, producers' snapshots and checkpoints go as well: the broker
    makes them anew.
    """
    folder = data / f"{topic}-{partition}"
    (segment,) = folder.glob("*.log")
    batches = _batches(segment.read_bytes())
    kept = [batch for batch in batches if batch.first + batch.records <= offset]
    assert kept, f"{segment} has nothing before offset {offset}"
    end = kept[-1].first + kept[-1].records
    if end < regrown:
        one = next((batch for batch in kept if batch.records == 1), None)
        # In a thread, StopIteration would leave whoever waits for it waiting for ever.
        assert one is not None, f"{segment} has no batch of a single record"
        kept += [_moved(one, place, kept[-1].epoch) for place in range(end, regrown)]
    segment.write_bytes(b"".join(batch.content for batch in kept))
    for kind in ("*.index", "*.timeindex", "*.snapshot", "leader-epoch-checkpoint"):
        for made_anew in folder.glob(kind):
            made_anew.unlink()
    for name in _CHECKPOINTS:
        (data / name).unlink(missing_ok=True)
    return max(end, regrown)


def _batches(content: bytes) -> list[_Batch]:
    found, place = [], 0
    while place + _HEAD.size <= len(content):
        first, length, epoch, last = _HEAD.unpack_from(content, place)
        if length <= 0:  # what is allocated and not written
            break
        after = place + _BEFORE_LENGTH + length
        found.append(_Batch(first, epoch, last + 1, content[place:after]))
        place = after
    return found


def _moved(batch: _Batch, offset: int, epoch: int) -> _Batch:
    head = _NOT_CHECKED.pack(offset, len(batch.content) - _BEFORE_LENGTH, epoch)
    return _Batch(offset, epoch, batch.records, head + batch.content[_NOT_CHECKED.size :])
