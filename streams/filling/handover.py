"""Before the older generation is closed: how long deciding would pause, and whether it is worth it.

Between the closing and the new start nobody decides. So both logs have to be near their ends first:
the new one, because its start lies behind the closing, and the workers on the old one, because
what they leave undecided is decided at the start, for each mentor at once.

On a busy machine they may never be: what comes no nearer is near enough where that costs a minute
at most, in which nobody decides.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from sinks.polling import POLL_S
from streams.filling.next_generation import slot_passes
from streams.filling.site import Site
from streams.log import generations
from streams.log.generations import Generation
from streams.log.wal import insert_lsn

_NEAR_S = 5.0
"""Who gets within so many seconds to where the ends were is near them."""

_PAUSE_S = 60.0
"""Who comes no nearer is near enough within so many seconds."""

_IN_VAIN = 3
"""After so many passes in a row that were not the shortest it is not going to come nearer."""

_STUCK_S = 30.0
"""Workers whose positions do not move for so long cannot get there."""


class Passes:
    """How long it took, time and again, to get to where the ends were, in seconds."""

    def __init__(self) -> None:
        self._shortest = float("inf")
        self._in_vain = 0

    def are_enough(self, took: float) -> bool:
        """Whether the ends are near after one more pass, or as near as they come."""
        if took < self._shortest:
            self._shortest, self._in_vain = took, 0
        else:
            self._in_vain += 1
        return took < (_PAUSE_S if self._in_vain >= _IN_VAIN else _NEAR_S)


async def near_the_end(site: Site, generation: Generation) -> None:
    """Wait until the new log, and the workers on the live one, are near the end.

    Without a live one nobody decides anyway, and nothing is waited for. Raises SnapshotFailed when
    the connector of the new one fails.
    """
    live = await generations.live(site.connection)
    if live is None:
        return

    async def log_passes() -> bool:
        await slot_passes(site, generation, await insert_lsn(site.connection))
        return True

    async def both_pass() -> bool:
        return await log_passes() and await _workers_pass(site, live)

    # The new one alone has a long way to go, in which the workers may well stand still.
    await _comes_near(log_passes)
    if not await _comes_near(both_pass):
        site.say(
            f"Nobody gets on with generation {live.number} of the log: what waits in it is decided "
            f"from generation {generation.number}."
        )


async def _comes_near(pass_ends: Callable[[], Awaitable[bool]]) -> bool:
    """Pass the present ends until they are near; False when that is given up."""
    passes = Passes()
    while True:
        began = time.monotonic()
        if not await pass_ends():
            return False
        if passes.are_enough(time.monotonic() - began):
            return True


async def _workers_pass(site: Site, live: Generation) -> bool:
    """Whether they passed the present ends; False when the log is broken, or nobody moves."""
    topic = await site.cluster.topic(live.topic)
    if topic is None or topic.id != live.log_id:
        return False
    ends = dict(enumerate(await site.cluster.ends(topic)))
    positions: dict[int, int] = {}
    moved = time.monotonic()
    while time.monotonic() - moved < _STUCK_S:
        found = await generations.next_offsets(site.connection, live.log_id)
        behind = sum(max(0, end - found.get(number, 0)) for number, end in ends.items())
        if not behind:
            return True
        noted = await generations.find(site.connection, live.log_id)
        if noted is None or noted.state != "live":
            return False
        if found != positions:
            positions, moved = found, time.monotonic()
        site.progress(f"Waiting for the workers: {behind:,} rows of the old log are not decided")
        await asyncio.sleep(POLL_S)
    return False
