"""The first second of a command: Ctrl-C ends it, and nothing is printed, also among imports."""

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTED = 130
"""The exit code of what Ctrl-C ended. Nothing that takes time to import is imported here."""


@contextmanager
def imports() -> Iterator[None]:
    """Within the block, in which nothing may be begun, Ctrl-C ends the process at once.

    A KeyboardInterrupt there would come out of whatever module is being imported, as a traceback.
    A process that ignores Ctrl-C, as one in the background does, goes on ignoring it; and only
    the main thread is interrupted.
    """
    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGINT) is not signal.default_int_handler:
        yield
        return
    signal.signal(signal.SIGINT, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(*_: object) -> None:
    os._exit(INTERRUPTED)
