"""What goes wrong around the log and raises no error: each worker looks by itself, and tells.

Rows saved with triggers off, definitions that cannot be evaluated, awards that may be held twice,
time zones that two programs know differently, writes that wait, rights that writing lacks, slots
that nobody reads. A look that fails silences no other, and what an earlier process has told is
closed as well once it is mended.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Final

import structlog

from sinks import duplicates, troubles
from sinks.alerts import PARTITIONS, AlertKind, Alerts, partition_in
from sinks.base import Sink
from sinks.failures import translated
from sinks.looks import tell_found
from sinks.pool import Pool
from sinks.queries import QUERIES
from sinks.refused_writes import REFUSED, tell_waiting
from sinks.troubles import Trouble
from streams.log.generations import Generation
from streams.records import is_uuid
from streams.rule_versions import Versions
from tables.rules import RuleBook
from tables.types import Applied, DefinitionVersion, Version, rule_key
from tables.zones import SAMPLES

LOOK_EVERY_S = 20.0
UNREAD = 4
"""So many looks in a row, a minute: a connector that begins again is back at its slot sooner."""
RULE_UNKNOWN: Final = "rule_unknown"

_Look = Callable[[], Awaitable[Iterable[Trouble]]]

log = structlog.get_logger(__name__)


class Surroundings:
    """Looks at all of it, again and again; several workers may do so at once."""

    def __init__(
        self, pool: Pool, sink: Sink, versions: Versions, alerts: Alerts, generation: Generation
    ) -> None:
        self._generation = generation
        self._pool = pool
        self._versions = versions
        self._alerts = alerts
        self._definitions = _Definitions(versions)
        self._looks: Mapping[AlertKind, _Look] = {
            "versions_differ": self._missed_versions,
            "definition_invalid": self._definitions.invalid,
            "constraint_missing": self._missing_constraint,
            "duplicate_awards": self._duplicate_awards,
            "time_zone": self._time_zones,
            "slot_left_over": self._unread_slots,
        }
        self._unread = Counter[str]()
        """How often in a row each slot was found that nobody reads."""
        self._closings: Mapping[AlertKind, Callable[[], Awaitable[None]]] = {
            RULE_UNKNOWN: self._close_known,
            REFUSED: partial(tell_waiting, sink, alerts),
            **{kind: partial(self._close_gone, kind) for kind in PARTITIONS},
        }

    async def watch(self) -> None:
        while True:
            for kind in (*self._looks, *self._closings):
                try:
                    await self.look(kind)
                except Exception as error:
                    log.warning("cannot look now, looking again", kind=kind, error=repr(error))
            await asyncio.sleep(LOOK_EVERY_S)

    async def look(self, kind: AlertKind) -> None:
        """Open alerts of a kind for what is found, and close those of what is not found any more.

        Raises what the look raises.
        """
        if kind in self._closings:
            await self._closings[kind]()
            return
        # In this order: what another worker opens meanwhile is not closed for not being found here.
        opened = await self._alerts.opened(kind)
        with translated():
            found = {
                each.subject: {"message": each.message, **each.detail}
                for each in await self._looks[kind]()
            }
        await tell_found(self._alerts, kind, opened, found)

    async def _close_known(self) -> None:
        """Close what a partition worker has told of rules that are known by now, or nowhere."""
        opened = await self._alerts.opened(RULE_UNKNOWN)
        if not opened:
            return
        await self._versions.refresh()
        known = {*self._versions.newest("definition"), *self._versions.newest("organization")}
        with translated():
            ids = list(filter(is_uuid, opened))
            in_use = await self._pool.fetchval(QUERIES["rules_in_use"], ids)
        for subject in set(opened) - troubles.still_unknown(opened, known, in_use):
            await self._alerts.resolve(RULE_UNKNOWN, subject=subject)

    async def _close_gone(self, kind: AlertKind) -> None:
        """Close what is told of partitions that a log before this one had.

        Its worker may have said so while the next log went live.
        """
        for subject in await self._alerts.opened(kind):
            partition = partition_in(subject)
            if partition is not None and partition >= self._generation.partitions:
                await self._alerts.resolve(kind, subject=subject)

    async def _missed_versions(self) -> Iterable[Trouble]:
        rows = await self._pool.fetch(QUERIES["missed_versions"])
        return troubles.missed_versions(dict(row) for row in rows)

    async def _missing_constraint(self) -> Iterable[Trouble]:
        return troubles.missing_constraint(await self._awards_are_unique())

    async def _duplicate_awards(self) -> Iterable[Trouble]:
        # With the constraint there are none, and all awards need not be read.
        if await self._awards_are_unique():
            return []
        return troubles.duplicate_awards(await duplicates.find(self._pool))

    async def _awards_are_unique(self) -> bool:
        return bool(await self._pool.fetchval(QUERIES["awards_are_unique"]))

    async def _unread_slots(self) -> Iterable[Trouble]:
        live = self._generation
        rows = await self._pool.fetch(QUERIES["unread_slots"], live.publication, live.slot)
        self._unread = Counter({row["slot"]: self._unread[row["slot"]] + 1 for row in rows})
        return troubles.unread_slots(
            dict(row) for row in rows if self._unread[row["slot"]] >= UNREAD
        )

    async def _time_zones(self) -> Iterable[Trouble]:
        rows = await self._pool.fetch(QUERIES["time_zones"], SAMPLES[0].date(), len(SAMPLES))
        return troubles.time_zones(dict(row) for row in rows)


class _Definitions:
    def __init__(self, versions: Versions) -> None:
        self._versions = versions
        self._book = RuleBook()
        self._applied: Applied = {}
        self._newest: dict[str, DefinitionVersion] = {}
        self._found: list[Trouble] = []

    async def invalid(self) -> list[Trouble]:
        """Active definitions that are invalid or close a cycle. Raises Unavailable."""
        await self._versions.refresh()
        newer = self._versions.newer_than(self._applied)
        if newer:
            # Every organization's rules are compiled for it: the event loop goes on meanwhile.
            self._found = await asyncio.to_thread(self._judge, newer)
            self._applied |= {rule_key(each): each.version for each in newer}  # ascending in an id
        return self._found

    def _judge(self, newer: Sequence[Version]) -> list[Trouble]:
        self._book.apply(newer)
        definitions = (each for each in newer if isinstance(each, DefinitionVersion))
        self._newest |= {each.id: each for each in definitions}
        return list(troubles.invalid_definitions(self._book, self._newest))
