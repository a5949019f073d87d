"""What delays the log without breaking it: the connector that fills it does not run, or hangs.

Nothing is lost meanwhile, but Postgres keeps WAL for the slot, so somebody has to be told.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable

import structlog
from aiokafka.errors import KafkaError
from msgspec import Struct

from sinks.alerts import OUTAGES, Alerts, OutageKind
from sinks.errors import StoreError
from sinks.failures import translated
from sinks.looks import Looks, OneAlert
from streams.errors import ConnectAway, ConnectRefused, LogBroken
from streams.log.connect import Connect
from streams.log.connector_progress import Moved, Movement
from streams.log.generations import Generation
from streams.log.integrity import Integrity

LOOK_EVERY_S = 1.0
CONFIRMATIONS = 18
"""So many bad looks: Connect needs some 10 s to start, and that is no reason for an alert."""

SURE_CONFIRMATIONS = 4
"""So many of what no start looks like: a connector that failed or was stopped."""

SILENT_CONFIRMATIONS = 2
"""So many of a silence: the first one tells already of what has lasted for seconds."""

FORGIVEN = 15
"""So many good looks in a row end an outage: what crashes again and again looks well in between."""

_PROVISION = (
    "Run `badges provision` to bring it back; nothing is lost, but Postgres keeps WAL for it."
)

log = structlog.get_logger(__name__)

_KEYLESS = re.compile(r"Unknown field: (peer_mentor_id|id)$")


class Outage(Struct, frozen=True):
    """`looks`: so many in a row tell it, fewer where it is nothing that a start looks like."""

    kind: OutageKind
    message: str
    cause: str = ""
    looks: int = CONFIRMATIONS


class _Lasting:
    """The alert of the outage that has lasted, by one look after another.

    Bad looks count together, of whatever kind they are; the kind that is told changes only to one
    that has been seen as often in a row itself. What no start looks like is told sooner while
    nothing is.
    """

    def __init__(self, alerts: Alerts) -> None:
        self._alert = OneAlert(alerts, *OUTAGES)
        self._bad = 0
        self._good = 0
        self._looks = Looks()

    async def look(self, found: Outage | None) -> None:
        alike = self._looks.found(found.kind if found else None)
        if found is None:
            self._good += 1
            if not self._bad or self._good >= FORGIVEN:
                self._bad = 0
                await self._alert.close()
            return
        self._good = 0
        self._bad += 1
        if found.kind == self._alert.told:
            is_time = self._bad % CONFIRMATIONS == 0
        else:
            is_time = (alike if self._alert.told else self._bad) >= CONFIRMATIONS or (
                not self._alert.told and alike >= found.looks
            )
            if is_time:
                log.warning("no new rows arrive", kind=found.kind, reason=found.message)
        if is_time:
            await self._alert.open(found.kind, {"message": found.message})


async def outage(generation: Generation, connect: Connect) -> Outage | None:
    """Why the generation's connector does not run, or None while it does.

    A connector that lost its slot may call itself RUNNING without a task, so tasks are looked at.
    """
    name = generation.connector
    try:
        status = await connect.status(name)
    except (ConnectAway, ConnectRefused) as error:
        return Outage("connect_away", f"{error}. No new rows arrive until it answers.")
    if status is None:
        return Outage("connector_missing", f"the connector {name} is missing. {_PROVISION}")
    if status.failed:
        return Outage(
            "connector_failed",
            f"the connector {name} failed: {status.cause}. {_PROVISION}",
            status.cause,
            looks=SURE_CONFIRMATIONS,
        )
    if status.state != "RUNNING" or "RUNNING" not in status.tasks:
        state = status.state if status.state != "RUNNING" else "RUNNING without a task"
        message = f"the connector {name} is {state}. {_PROVISION}"
        looks = SURE_CONFIRMATIONS if status.by_hand else CONFIRMATIONS
        return Outage("connector_idle", message, looks=looks)
    return None


async def _unsendable(found: Outage, integrity: Integrity) -> LogBroken | None:
    """The break by a row that the connector can never send: it lacks the column that is its key.

    The connector does not say of which table it is; it is one whose column had another name.
    """
    column = _KEYLESS.search(found.cause)
    if found.kind != "connector_failed" or column is None:
        return None
    if column[1] == "id":
        table = "peer_mentors"
    else:
        tables = await integrity.ever_renamed(column[1])
        table = " or ".join(tables) or "one of the tables of a mentor's rows"
    return LogBroken(
        "column_missing",
        f"a row of {table} without its column {column[1]}, which had another name when the row was "
        "written, cannot be sent by the connector",
    )


async def _silence(
    generation: Generation, movement: Movement, moved: Callable[[], Awaitable[Moved]]
) -> Outage | None:
    """Why nothing comes of a connector that calls itself RUNNING, or None while it moves.

    None as well while it cannot be told: who does not answer then is told of elsewhere.
    """
    try:
        with translated():
            still = movement.standstill(await moved())
    except (KafkaError, OSError, StoreError) as error:
        log.warning("how far the connector is cannot be told", error=str(error))
        movement.not_seen()
        return None
    if still is None:
        return None
    message = f"the connector {generation.connector} is RUNNING but {still}"
    return Outage("connector_idle", message, looks=SILENT_CONFIRMATIONS)


async def monitor_connector(
    generation: Generation,
    connect: Connect,
    alerts: Alerts,
    integrity: Integrity,
    moved: Callable[[], Awaitable[Moved]],
) -> None:
    """Look each second, for good; open an alert for what lasts, and close it afterwards.

    `moved` says how far the connector is.
    """
    lasting = _Lasting(alerts)
    movement = Movement()
    while True:
        found = await outage(generation, connect)
        if found:
            movement.begin_again()
        else:
            found = await _silence(generation, movement, moved)
        broken = await _unsendable(found, integrity) if found else None
        if broken:
            await integrity.mark_broken(broken)
            found = None
        await lasting.look(found)
        await asyncio.sleep(LOOK_EVERY_S)
