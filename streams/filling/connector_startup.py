"""Whether a connector keeps running, or fails for a reason that will come again."""

import asyncio
import re
import time

from aiokafka.errors import KafkaError

from sinks.polling import POLL_S
from streams.errors import FOUND_A_PROBLEM, Failure
from streams.filling.site import Site
from streams.log.connector_progress import BEGINS_S, Moved, Movement, moved
from streams.log.generations import Generation
from streams.log.wal import insert_lsn

_STEADY_S = 30.0
"""A connector with a long way to go is believed after so many seconds without a failure."""
_PATIENCE_S = 60.0
_QUIET_S = 5.0
"""One that works has sent something sooner, and nobody has to hear of the wait."""

_LASTING = re.compile(
    r"RecordTooLarge|SerializationException|DataException|AuthorizationException"
    r"|AuthenticationException|permission denied"
)
"""In the cause of a failure that will come again however often the connector is started."""


class Causes:
    """Why a connector failed so far in this run."""

    def __init__(self) -> None:
        self._seen: set[str] = set()

    def seen(self, cause: str) -> bool:
        """Note a cause; whether it will come again, because it did or is of that kind."""
        # The next generation has another number in every name, and a server other process ids.
        kind = re.sub(r"\d+", "#", cause)
        again = kind in self._seen or _LASTING.search(cause) is not None
        self._seen.add(kind)
        return again

    def refuse(self, connector: str, cause: str) -> None:
        """Note a cause. Raises Failure when it will come again."""
        if self.seen(cause):
            raise Failure(
                f"the connector {connector} fails, and will again: {cause}",
                hint="Mend that, then run this again",
                code=FOUND_A_PROBLEM,
            )


async def stays_running(site: Site, generation: Generation, causes: Causes) -> None:
    """Return when the connector has sent everything up to now, or has run for a while unbroken.

    RUNNING alone says nothing: it is so long before a connector meets again what ended it, and one
    that hangs is so for ever. One that fails is started again, unless that is in vain. Raises
    Failure then, when it does not come to run within a minute, and when it sends nothing.
    """
    name = generation.connector
    end = await insert_lsn(site.connection)
    movement, silent = Movement(), 0.0
    began = steady_since = time.monotonic()
    while (now := time.monotonic()) - steady_since < _STEADY_S:
        status = await site.connect.status(name)
        if status is not None and status.failed:
            causes.refuse(name, status.cause)
            await site.connect.restart_failed(name)
        if status is None or not status.running:
            steady_since = time.monotonic()
            if now - began > _PATIENCE_S:
                raise Failure(
                    f"the connector {name} does not come to run within {_PATIENCE_S:g} s "
                    f"({status})",
                    hint="See Kafka Connect's log",
                    code=FOUND_A_PROBLEM,
                )
        if now - began > _QUIET_S:
            site.progress(f"Connector {name}: waiting until it sends")
        reached = await _reached(site, generation, is_late=now - began > _PATIENCE_S)
        if reached is None:
            movement.not_seen()
            steady_since = time.monotonic()
        elif reached.confirmed > end and status is not None and status.running:
            return
        else:
            silent, _ = movement.look(reached)
        await asyncio.sleep(POLL_S)
    # What it had in hand as it began to hang may have moved something still.
    if silent >= BEGINS_S:
        raise Failure(
            f"the connector {name} runs but sends nothing, not even the heartbeat of each second, "
            f"for {BEGINS_S:g} s",
            hint="See in pg_stat_activity what the sessions of badges_connect wait for, and Kafka "
            "Connect's log; restart Kafka Connect, then run this again",
            code=FOUND_A_PROBLEM,
        )


async def _reached(site: Site, generation: Generation, *, is_late: bool) -> Moved | None:
    """How far the connector is, or None where Kafka or Postgres had no time to answer that.

    Raises what they raise when it `is_late`.
    """
    try:
        return await moved(generation, site.connection, site.cluster)
    except (TimeoutError, KafkaError):
        if is_late:
            raise
        return None
