"""The event loop of one command."""

import asyncio
import signal
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from badges.starting import imports

Result = TypeVar("Result")


def run(begin: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run the coroutine that `begin` makes in a new event loop; like asyncio.run, but quiet.

    A KeyboardInterrupt in the middle of making the loop would leave half a loop, whose end prints
    a traceback. Nothing is begun by then, so Ctrl-C ends the process at once, as among imports.
    What `heed_sigterm` makes of a SIGTERM is a KeyboardInterrupt too.
    """
    with imports():
        runner = asyncio.Runner()
        runner.get_loop()
    with runner:
        try:
            return runner.run(begin())
        except asyncio.CancelledError:
            raise KeyboardInterrupt from None


def heed_sigterm() -> None:
    """Let SIGTERM interrupt the command as Ctrl-C does, so that it cleans up behind itself."""
    command = asyncio.current_task()
    assert command is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, command.cancel)
