"""Whether the log is still the whole story: one small question for each way in which it breaks.

The questions are pure and answered from facts that are read first. What only delays (a connector
that is gone or has failed, Connect away) is no break.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import structlog

from badges.sinks.alerts import BreakKind
from badges.sinks.base import Disconnected, Unavailable
from badges.sinks.failures import Refused, translated
from badges.sinks.pool import Executor
from badges.streams import fingerprint, generations
from badges.streams.cluster import Cluster
from badges.streams.connect import Connect
from badges.streams.errors import TOLD, GenerationClosed, LogBroken
from badges.streams.facts import LOG_SETTINGS, CannotTell, Facts, gather
from badges.streams.fingerprint import Fingerprint, changes, renamed
from badges.streams.generations import Generation
from badges.streams.tails import another_record

log = structlog.get_logger(__name__)

CONFIRMATIONS = 3
"""A break is believed when this many looks in a row have found it."""

NEW_GENERATION = (
    "`badges resnapshot` makes a new generation of the log; nothing is decided until it is live."
)


class Break(LogBroken):
    """A break of continuity. A `lasting` one cannot mend: the generation is lost.

    A `certain` one need not be seen again to be believed.
    """

    def __init__(
        self,
        kind: BreakKind | Literal["log_broken"],
        message: str,
        *,
        lasting: bool = True,
        certain: bool = False,
    ) -> None:
        super().__init__(kind, f"{message}. {NEW_GENERATION}" if lasting else message)
        self.message = message
        self.lasting = lasting
        self.certain = certain


def noted(_: Generation, facts: Facts) -> Break | None:
    """Has somebody found it broken before?"""
    if facts.state == "broken":
        reason = facts.reason or "the log was found broken"
        return Break(TOLD, reason, lasting=False, certain=True)
    return None


def other_database(generation: Generation, facts: Facts) -> Break | None:
    """Is this still the database whose changes are in the log?"""
    if facts.identity == (generation.system_identifier, generation.timeline):
        return None
    return Break(
        "other_database",
        f"the database is another one, or was restored or promoted: system identifier and timeline "
        f"are {facts.identity[0]}/{facts.identity[1]}, generation {generation.number} was filled "
        f"from {generation.system_identifier}/{generation.timeline}",
    )


def source_changed(_: Generation, facts: Facts) -> Break | None:
    """Are tables, publication, identities and our triggers what the log was filled from?"""
    return source_break(facts.filled_from, facts.source)


def source_break(filled_from: Fingerprint | None, source: Fingerprint) -> Break | None:
    """The break by what changed of the source, if anything did; one that lasts comes first."""
    found = changes(filled_from, source) if filled_from else []
    if not found:
        return None
    first = next((change for change in found if change.lasting), found[0])
    alike = [c for c in found if (c.kind, c.lasting) == (first.kind, first.lasting)]
    statements = " ".join(change.statement for change in alike if change.statement)
    message = "; ".join(change.text for change in alike)
    return Break(
        first.kind,
        f"{message} (set it right with {statements})" if statements else message,
        lasting=first.lasting,
        certain=True,
    )


def renamed_columns(filled_from: Fingerprint | None, source: Fingerprint) -> set[tuple[str, str]]:
    """Table and name of each column that has another name now."""
    if filled_from is None:
        return set()
    return {
        (name, column)
        for name, table in filled_from.tables.items()
        for column in renamed(table, source.tables[name])
    }


def slot_missing(generation: Generation, facts: Facts) -> Break | None:
    """Does the replication slot exist, with all the WAL it needs?"""
    if facts.slot is None:
        return Break("slot_missing", f"the replication slot {generation.slot} is gone")
    if facts.slot.wal_status == "lost":
        return Break(
            "slot_lost",
            f"the replication slot {generation.slot} lost WAL that was not read yet "
            "(max_slot_wal_keep_size)",
        )
    return None


def slot_ahead(generation: Generation, facts: Facts) -> Break | None:
    """Was the slot moved past what the connector has sent to Kafka?"""
    if not facts.offsets or facts.slot is None or facts.slot.confirmed is None:
        return None
    sent = sent_lsn(facts.offsets[0])
    if sent is None or facts.slot.confirmed <= sent:
        return None
    return Break(
        "slot_ahead",
        f"the replication slot {generation.slot} was moved or made again by hand: it is confirmed "
        f"up to {facts.slot.confirmed}, the connector has sent up to {sent}",
    )


def topic_replaced(generation: Generation, facts: Facts) -> Break | None:
    """Is the topic still the one that was filled?"""
    if facts.topic is None:
        return Break("topic_missing", f"the topic {generation.topic} is gone")
    if facts.topic.id != generation.log_id:
        return Break(
            "topic_replaced",
            f"the topic {generation.topic} was deleted and made again: its id is "
            f"{facts.topic.id}, generation {generation.number} is {generation.log_id}",
        )
    return None


def partitions_changed(generation: Generation, facts: Facts) -> Break | None:
    """Do mentors still have the partition that they had?"""
    if facts.topic is None or facts.topic.partitions == generation.partitions:
        return None
    return Break(
        "partitions_changed",
        f"the topic {generation.topic} has {facts.topic.partitions} partitions instead of "
        f"{generation.partitions}, so mentors' rows are divided between old and new ones",
    )


def settings_wrong(generation: Generation, facts: Facts) -> Break | None:
    """Is the topic kept for ever?"""
    wrong = wrong_settings(facts.settings)
    if not wrong:
        return None
    return Break(
        "topic_settings",
        f"the topic {generation.topic} does not keep everything: {', '.join(wrong)}. "
        "Set it back before anything is deleted",
        lasting=False,
    )


def log_cut(generation: Generation, facts: Facts) -> Break | None:
    """Is the log's beginning still there, and everything up to the positions?"""
    for partition, start in enumerate(facts.starts):
        if start > 0:
            return Break(
                "log_cut", f"partition {partition} of {generation.topic} begins at offset {start}"
            )
    for partition, decided in sorted(facts.decided.items()):
        end = facts.ends[partition] if partition < len(facts.ends) else decided.next_offset
        ends = f"partition {partition} of {generation.topic} ends at offset {end}"
        if end < decided.next_offset:
            position = decided.next_offset
            return Break(
                "log_short", f"{ends}, below the position {position} that is already decided"
            )
        if end < decided.highest_end:
            return Break("log_short", f"{ends}, and did at {decided.highest_end} before")
    return None


def log_rewritten(_: Generation, facts: Facts) -> Break | None:
    """Is what was decided last still what stands there?"""
    for partition, sequence in sorted(facts.reread.items()):
        last = facts.decided[partition].last
        wrong = another_record(partition, last, sequence) if last else ""
        if wrong:
            return Break("log_rewritten", wrong)
    return None


def offsets_lost(generation: Generation, facts: Facts) -> Break | None:
    """Does Connect know where it was, and is it past its only snapshot?"""
    if facts.offsets is None:
        return None
    if not facts.offsets:
        return Break(
            "offsets_lost", f"the stored offsets of connector {generation.connector} are gone"
        )
    if len(facts.offsets) > 1 or any("snapshot" in offset for offset in facts.offsets):
        return Break(
            "snapshot_again",
            f"a second snapshot was begun by connector {generation.connector} into "
            f"{generation.topic}",
        )
    return None


def database_behind(_: Generation, facts: Facts) -> Break | None:
    """Has the database gone back to before what was sent from it?"""
    sent = sent_lsn(facts.offsets[0]) if facts.offsets else None
    if sent is None or facts.wal_end >= sent:
        return None
    return Break(
        "database_behind",
        f"the database was put back: its WAL ends at {facts.wal_end}, the connector has sent up to "
        f"{sent}",
    )


QUESTIONS: tuple[Callable[[Generation, Facts], Break | None], ...] = (
    noted,
    other_database,
    source_changed,
    topic_replaced,
    partitions_changed,
    settings_wrong,
    log_cut,
    log_rewritten,
    slot_missing,
    offsets_lost,
    slot_ahead,
    database_behind,
)


def judge(generation: Generation, facts: Facts) -> Break | None:
    """The first break that the facts show, in the order of QUESTIONS."""
    return next((found for ask in QUESTIONS if (found := ask(generation, facts))), None)


def sent_lsn(offset: Mapping[str, Any]) -> int | None:
    """How far the connector has come, in bytes of WAL, by an offset that Connect stores."""
    known = [offset[key] for key in ("lsn", "lsn_proc", "lsn_commit") if key in offset]
    return max(known, default=None)


def wrong_settings(settings: Mapping[str, str]) -> list[str]:
    """Which of a log topic's settings are not as they must be: 'name is x, must be y'."""
    return [
        f"{name} is {settings.get(name)}, must be {must}"
        for name, must in LOG_SETTINGS.items()
        if settings.get(name) != must
    ]


class Continuity:
    """Looks at one generation, with clients that are kept.

    A break is returned when CONFIRMATIONS looks in a row have found it, so that a broker that is
    just starting cannot condemn a log; until then CannotTell is raised, which stops writing too.
    What one statement has read of one database is certain at once. A lasting break is noted in
    badge_logs.
    """

    def __init__(
        self, generation: Generation, connection: Executor, cluster: Cluster, connect: Connect
    ) -> None:
        self._generation = generation
        self._connection = connection
        self._cluster = cluster
        self._connect = connect
        self._suspicion: tuple[str, int] = ("", 0)
        self._renamed: set[tuple[str, str]] = set()

    async def look(self, reread: bool = True) -> Break | None:
        """What is broken, or None; `reread` the log's last decided records too.

        That takes longer, and is needed after a connection was lost. Raises CannotTell.
        """
        facts = await gather(
            self._generation, self._connection, self._cluster, self._connect, reread=reread
        )
        if facts.state == "closed":
            raise GenerationClosed(f"generation {self._generation.number} of the log is closed")
        self._renamed |= renamed_columns(facts.filled_from, facts.source)
        found = judge(self._generation, facts)
        if found is None:
            self._suspicion = ("", 0)
            await self._note_ends(facts)
            return None
        kind, seen = self._suspicion
        self._suspicion = (found.kind, seen + 1 if kind == found.kind else 1)
        if self._suspicion[1] < CONFIRMATIONS and not found.certain:
            raise CannotTell(f"looking again: {found}")
        if found.lasting:
            await self.condemn(found)
        return found

    async def ever_renamed(self, column: str) -> list[str]:
        """The tables of which a column of this name has another one, or had at a look before."""
        generation = self._generation
        try:
            with translated():
                self._renamed |= renamed_columns(
                    *await fingerprint.compare(
                        self._connection, generation.log_id, generation.publication
                    )
                )
        except (Refused, Unavailable) as error:
            log.warning("what is renamed now cannot be seen", error=str(error))
        return sorted(table for table, old in self._renamed if old == column)

    async def _note_ends(self, facts: Facts) -> None:
        grown = {
            partition: facts.ends[partition]
            for partition, decided in facts.decided.items()
            if facts.ends[partition] > decided.highest_end
        }
        if grown:
            try:
                with translated():
                    await generations.note_ends(self._connection, self._generation.log_id, grown)
            except Disconnected as error:
                raise CannotTell(str(error)) from error
            except (Refused, Unavailable) as error:
                # A turn that cannot be written either is told with its reason; this can wait.
                log.warning("how far the log reaches cannot be noted", error=str(error))

    async def condemn(self, found: LogBroken) -> None:
        """Note in badge_logs that the generation is broken, if the database can be reached."""
        if found.kind == TOLD:
            return
        log_id = self._generation.log_id
        try:
            with translated():
                await generations.condemn(self._connection, log_id, found.kind, str(found))
        except (Refused, Unavailable) as error:
            log.warning("cannot note that the log is broken", error=str(error))
