"""The `badges` command on a slow disk, with checkpoints after each turn.

`python -m tests.often_checkpoints worker`: whoever ends the worker meets one that is being written.
"""

import time
from collections.abc import Iterator, Sequence

from badges.cli.main import main
from streams import checkpoint_files, checkpointing

_SECONDS_A_PIECE = 0.02

_framed = checkpoint_files._framed


def slowly(parts: Sequence[bytes]) -> Iterator[bytes]:
    """What is written, piece by piece."""
    for piece in _framed(parts):
        time.sleep(_SECONDS_A_PIECE)
        yield piece


if __name__ == "__main__":
    checkpointing._LEAST_RECORDS = 1  # type: ignore[misc]
    checkpointing._SHARE = 1_000_000_000  # type: ignore[misc]
    checkpoint_files._framed = slowly  # type: ignore[assignment]
    main()
