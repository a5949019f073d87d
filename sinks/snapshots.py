"""Which transactions a snapshot of Postgres shows as over."""

from collections.abc import Iterable

_EPOCH = 2**32


def unfinished(xids: Iterable[int], snapshot: str, newest: int) -> list[int]:
    """Return those of `xids` that were in progress, as full 64-bit ids.

    `xids` may lack their epoch, as source.txId does; each is at most `newest`, an id of the same
    moment. `snapshot` is pg_snapshot's text, 'xmin:xmax:running,running'.
    """
    oldest, next_one, running = snapshot.split(":")
    in_progress = {int(xid) for xid in running.split(",") if xid}
    full = {newest - (newest - xid) % _EPOCH for xid in xids}
    return sorted(
        xid for xid in full if xid >= int(oldest) and (xid >= int(next_one) or xid in in_progress)
    )
