"""Whether the log still says all that the database did: a check for each way in which it breaks.

The checks are pure: they are given an observation that was made before. What only delays (a
connector that is gone or has failed, Connect away) is no break.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog
from msgspec.structs import replace

from sinks.errors import Disconnected, StoreError
from sinks.failures import translated
from sinks.looks import Looks
from sinks.pool import Executor
from streams.errors import (
    TOLD,
    CannotTell,
    ConnectAway,
    ConnectRefused,
    GenerationClosed,
    LogBroken,
)
from streams.log import fingerprint, generations
from streams.log.cluster import Cluster
from streams.log.connect import Connect
from streams.log.fingerprint import Fingerprint, changes, renamed
from streams.log.generations import Generation
from streams.log.last_record import another_record
from streams.log.observation import Observation, observe
from streams.log.topics import LOG_SETTINGS, wrong_settings

log = structlog.get_logger(__name__)

CONFIRMATIONS = 3
"""A break is believed when this many looks in a row have found it."""

_AGAIN_S = 0.5


def _known_broken(_: Generation, seen: Observation) -> LogBroken | None:
    if seen.state == "broken":
        reason = seen.reason or "the log was found broken"
        return LogBroken(TOLD, reason, lasting=False, certain=True)
    return None


def _other_database(generation: Generation, seen: Observation) -> LogBroken | None:
    if seen.identity == (generation.system_identifier, generation.timeline):
        return None
    return LogBroken(
        "other_database",
        f"the database is another one, or was restored or promoted: system identifier and timeline "
        f"are {seen.identity[0]}/{seen.identity[1]}, generation {generation.number} was filled "
        f"from {generation.system_identifier}/{generation.timeline}",
    )


def _source_changed(_: Generation, seen: Observation) -> LogBroken | None:
    return source_break(seen.filled_from, seen.source)


def source_break(filled_from: Fingerprint | None, source: Fingerprint) -> LogBroken | None:
    """The break by what changed of the source, if anything did; one that lasts comes first."""
    found = list(changes(filled_from, source)) if filled_from else []
    if not found:
        return None
    first = next((change for change in found if change.lasting), found[0])
    alike = [c for c in found if (c.kind, c.lasting) == (first.kind, first.lasting)]
    statements = " ".join(change.statement for change in alike if change.statement)
    message = "; ".join(change.text for change in alike)
    return LogBroken(
        first.kind,
        f"{message} (set it right with {statements})" if statements else message,
        lasting=first.lasting,
        certain=True,
    )


def _renamed_columns(filled_from: Fingerprint | None, source: Fingerprint) -> set[tuple[str, str]]:
    if filled_from is None:
        return set()
    return {
        (name, column)
        for name, table in filled_from.tables.items()
        for column in renamed(table, source.tables[name])
    }


def _slot_missing(generation: Generation, seen: Observation) -> LogBroken | None:
    if seen.slot is None:
        return LogBroken("slot_missing", f"the replication slot {generation.slot} is gone")
    if seen.slot.wal_status == "lost":
        return LogBroken(
            "slot_lost",
            f"the replication slot {generation.slot} lost WAL that was not read yet "
            "(max_slot_wal_keep_size)",
        )
    return None


def _slot_ahead(generation: Generation, seen: Observation) -> LogBroken | None:
    if not seen.offsets or seen.slot is None or seen.slot.confirmed is None:
        return None
    sent = sent_lsn(seen.offsets[0])
    if sent is None or seen.slot.confirmed <= sent:
        return None
    return LogBroken(
        "slot_ahead",
        f"the replication slot {generation.slot} was moved or made again by hand: it is confirmed "
        f"up to {seen.slot.confirmed}, the connector has sent up to {sent}",
    )


def _topic_replaced(generation: Generation, seen: Observation) -> LogBroken | None:
    if seen.topic is None:
        return LogBroken("topic_missing", f"the topic {generation.topic} is gone")
    if seen.topic.id != generation.log_id:
        return LogBroken(
            "topic_replaced",
            f"the topic {generation.topic} was deleted and made again: its id is "
            f"{seen.topic.id}, generation {generation.number} is {generation.log_id}",
        )
    return None


def _partitions_changed(generation: Generation, seen: Observation) -> LogBroken | None:
    if seen.topic is None or seen.topic.partitions == generation.partitions:
        return None
    return LogBroken(
        "partitions_changed",
        f"the topic {generation.topic} has {seen.topic.partitions} partitions instead of "
        f"{generation.partitions}, so mentors' rows are divided between old and new ones",
    )


def _settings_wrong(generation: Generation, seen: Observation) -> LogBroken | None:
    wrong = wrong_settings(seen.settings, LOG_SETTINGS)
    if not wrong:
        return None
    return LogBroken(
        "topic_settings",
        f"the topic {generation.topic} does not keep everything: {', '.join(wrong)}. "
        "Set it back before anything is deleted",
        lasting=False,
    )


def _log_cut(generation: Generation, seen: Observation) -> LogBroken | None:
    for partition, start in enumerate(seen.starts):
        if start > 0:
            return LogBroken(
                "log_cut", f"partition {partition} of {generation.topic} begins at offset {start}"
            )
    for partition, decided in sorted(seen.decided.items()):
        end = seen.ends[partition] if partition < len(seen.ends) else decided.next_offset
        ends = f"partition {partition} of {generation.topic} ends at offset {end}"
        if end < decided.next_offset:
            position = decided.next_offset
            return LogBroken(
                "log_short", f"{ends}, below the position {position} that is already decided"
            )
        if end < decided.highest_end:
            return LogBroken("log_short", f"{ends}, and did at {decided.highest_end} before")
    return None


def _log_rewritten(_: Generation, seen: Observation) -> LogBroken | None:
    for partition, sequence in sorted(seen.reread.items()):
        last = seen.decided[partition].last
        wrong = another_record(partition, last, sequence) if last else ""
        if wrong:
            return LogBroken("log_rewritten", wrong)
    return None


def _offsets_lost(generation: Generation, seen: Observation) -> LogBroken | None:
    if seen.offsets is None:
        return None
    if not seen.offsets:
        return LogBroken(
            "offsets_lost", f"the stored offsets of connector {generation.connector} are gone"
        )
    if len(seen.offsets) > 1 or any("snapshot" in offset for offset in seen.offsets):
        return LogBroken(
            "snapshot_again",
            f"a second snapshot was begun by connector {generation.connector} into "
            f"{generation.topic}",
        )
    return None


def _database_behind(_: Generation, seen: Observation) -> LogBroken | None:
    sent = sent_lsn(seen.offsets[0]) if seen.offsets else None
    if sent is None or seen.wal_end >= sent:
        return None
    return LogBroken(
        "database_behind",
        f"the database was put back: its WAL ends at {seen.wal_end}, the connector has sent up to "
        f"{sent}",
    )


# In this order: another database explains everything that follows, and a topic that is gone what
# is missing in it. What is told first is what a person has to look at.
_CHECKS: tuple[Callable[[Generation, Observation], LogBroken | None], ...] = (
    _known_broken,
    _other_database,
    _source_changed,
    _topic_replaced,
    _partitions_changed,
    _settings_wrong,
    _log_cut,
    _log_rewritten,
    _slot_missing,
    _offsets_lost,
    _slot_ahead,
    _database_behind,
)


def judge(generation: Generation, seen: Observation) -> LogBroken | None:
    return next((found for ask in _CHECKS if (found := ask(generation, seen))), None)


async def judged(
    generation: Generation,
    connection: Executor,
    cluster: Cluster,
    connect: Connect,
    *,
    needs_offsets: bool = False,
) -> LogBroken | None:
    """What is broken, or None, for a command: its settings may lead to another Kafka.

    So nothing is noted, and what is not certain is looked at as often as a worker does. Raises
    CannotTell when somebody who has to be asked does not answer. That is Kafka Connect only where
    it `needs_offsets`, those that the connector has stored: then with the client's own patience.
    """
    found: LogBroken | None = None
    for look in range(CONFIRMATIONS):
        if look:
            await asyncio.sleep(_AGAIN_S)
        seen = await observe(generation, connection, cluster, connect, reread=True)
        if needs_offsets and seen.offsets is None:
            seen = replace(seen, offsets=await _offsets(generation, connect))
        found = judge(generation, seen)
        if found is None or found.certain:
            break
    return found


async def _offsets(generation: Generation, connect: Connect) -> Sequence[Mapping[str, Any]]:
    try:
        offsets = await connect.offsets(generation.connector)
    except (ConnectAway, ConnectRefused) as error:
        raise CannotTell(str(error)) from error
    if offsets is None:
        raise CannotTell(f"Kafka Connect knows no connector {generation.connector}")
    return offsets


def sent_lsn(offset: Mapping[str, Any]) -> int | None:
    """How far the connector has come, in bytes of WAL, by an offset that Connect stores."""
    # Which of them there are depends on where in a transaction the connector was.
    known = [offset[key] for key in ("lsn", "lsn_proc", "lsn_commit") if key in offset]
    return max(known, default=None)


class Integrity:
    """Looks at one generation, with clients that are kept.

    A break is returned when CONFIRMATIONS looks in a row have found it, so that a broker that is
    just starting cannot break a log; until then CannotTell is raised, which stops writing too.
    What one statement has read of one database is certain at once. A lasting break is noted in
    badge_logs, for all workers.
    """

    def __init__(
        self, generation: Generation, connection: Executor, cluster: Cluster, connect: Connect
    ) -> None:
        self._generation = generation
        self._connection = connection
        self._cluster = cluster
        self._connect = connect
        self._looks = Looks()
        self._renamed: set[tuple[str, str]] = set()

    async def look(self, reread: bool = True) -> LogBroken | None:
        """What is broken, or None; `reread` the log's last decided records too.

        That takes longer, and is needed after a connection was lost. Raises CannotTell.
        """
        seen = await observe(
            self._generation, self._connection, self._cluster, self._connect, reread=reread
        )
        if seen.state == "closed":
            raise GenerationClosed(f"generation {self._generation.number} of the log is closed")
        self._renamed |= _renamed_columns(seen.filled_from, seen.source)
        found = judge(self._generation, seen)
        times = self._looks.found(found.kind if found else None)
        if found is not None and times < CONFIRMATIONS and not found.certain:
            raise CannotTell(f"looking again: {found}")
        if found is None:
            await self._note_ends(seen)
        elif found.lasting:
            await self.mark_broken(found)
        return found

    async def ever_renamed(self, column: str) -> list[str]:
        """The tables of which a column of this name has another one, or had at a look before."""
        generation = self._generation
        try:
            with translated():
                self._renamed |= _renamed_columns(
                    *await fingerprint.compare(
                        self._connection, generation.log_id, generation.publication
                    )
                )
        except StoreError as error:
            log.warning("what is renamed now cannot be seen", error=str(error))
        return sorted(table for table, old in self._renamed if old == column)

    async def _note_ends(self, seen: Observation) -> None:
        grown = {
            partition: seen.ends[partition]
            for partition, decided in seen.decided.items()
            if seen.ends[partition] > decided.highest_end
        }
        if grown:
            try:
                with translated():
                    await generations.note_ends(self._connection, self._generation.log_id, grown)
            except Disconnected as error:
                raise CannotTell(str(error)) from error
            except StoreError as error:
                # A turn that cannot be written either is told with its reason; this can wait.
                log.warning("how far the log reaches cannot be noted", error=str(error))

    async def mark_broken(self, found: LogBroken) -> bool:
        """Note in badge_logs that the generation is broken; False if that cannot be written now."""
        if found.kind == TOLD:
            return True
        log_id = self._generation.log_id
        try:
            with translated():
                await generations.mark_broken(self._connection, log_id, found.kind, str(found))
        except StoreError as error:
            log.warning("cannot note that the log is broken", error=str(error))
            return False
        return True
