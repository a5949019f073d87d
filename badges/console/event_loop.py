"""The event loop of one command."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from badges.console.starting import imports

Result = TypeVar("Result")


def run(begin: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
    """Run the coroutine that `begin` makes in a new event loop; like asyncio.run, but quiet.

    A KeyboardInterrupt in the middle of making the loop would leave half a loop, whose end prints
    a traceback. Nothing is begun by then, so Ctrl-C ends the process at once, as among imports.
    """
    with asyncio.Runner() as runner:
        with imports():
            runner.get_loop()
        return runner.run(begin())
