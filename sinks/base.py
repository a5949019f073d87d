"""The contract of a sink: one turn of a worker, written whole or not at all."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Protocol

from msgspec import Struct

from tables.decisions import Cause, Decision, Kind, Source
from tables.types import AppliedVersion, Award, Stats


class MentorDeleted(Struct, frozen=True):
    """A mentor's delete: what earlier positions wrote for that id goes too."""

    peer_mentor_id: str
    cause: Cause


class Place(Struct, frozen=True):
    """A record of a partition: its offset, and its place in the WAL (source.sequence as text).

    `sequence` is None where the record does not say it.
    """

    offset: int
    sequence: str | None


class Turn(Struct, frozen=True):
    """One transaction of a worker on one partition.

    The position must be (`start`, `number`) and becomes (`end`, `number` + 1). Within the turn the
    order is: versions, mentors_deleted, decisions in their order, stats. `start == end` is a turn
    without records. `xids` are the transactions (source.txId) whose rows the turn folded, if known:
    what is missing while one of them is in progress is not gone, but not visible yet. `last` is the
    last record below `end`, `evaluator` is what decided: they are remembered with the position.
    """

    log_id: str
    partition: int
    number: int
    start: int
    end: int
    applied: Sequence[AppliedVersion] = ()
    mentors_deleted: Sequence[MentorDeleted] = ()
    decisions: Sequence[Decision] = ()
    stats: Sequence[Stats] = ()
    xids: Collection[int] = ()
    last: Place | None = None
    evaluator: str | None = None


class Change(Struct, frozen=True):
    """A row of badge_awards that a decision really changed.

    `caused` is when the row that caused it was committed, in seconds by this process's monotonic
    clock, which the store's clock was read against; None where no row did.
    """

    kind: Kind
    source: Source
    caused: float | None = None


class Outcome(Struct, frozen=True):
    """What became of a turn's decisions.

    `written` are rows that really changed. `overtaken` counts those whose row a person had changed
    first, `gone` those whose mentor or definition was deleted meanwhile, `refused` those that the
    store refuses to write, so that they wait. `accepted` are rows that changed because what had
    waited is accepted by now. `waits`: something of the partition waits after the turn.
    """

    written: Sequence[Change] = ()
    overtaken: int = 0
    gone: int = 0
    refused: int = 0
    accepted: Sequence[Change] = ()
    waits: bool = False


class Waiting(Struct, frozen=True):
    """Why something waits: what the store says, of `count` rows of any partition.

    `subject` is for people: the trigger, constraint or locked table, else the table and SQLSTATE.
    It has 200 characters at most. A `count` of 0 is of what the worker lacks and writing needs:
    nothing waits for that yet. `badge_definition_id` is set where all is about one definition.
    `organizations` are ids of those whose mentors it is about, 20 at most.
    """

    subject: str
    sqlstate: str
    message: str
    refused_by: str | None
    badge_definition_id: str | None
    count: int
    since: datetime
    organizations: Sequence[str] = ()


class Found(Struct, frozen=True):
    """An award as badge_awards has it once what waits is written: there, or `gone`."""

    award: Award
    gone: bool = False


class Position(Struct, frozen=True):
    """Where a partition of a log stands: the next offset to decide, and the turns so far."""

    next_offset: int
    turn: int


class Sink(Protocol):
    async def position(self, log_id: str, partition: int) -> Position | None:
        """The partition's position, or None when the generation is not live. Raises Unavailable.

        Whoever takes a partition up asks first: what was known of it here is forgotten, for another
        process may have had it since.
        """
        ...

    async def last_decided(self, log_id: str, partition: int) -> Place | None:
        """The last record below the position, None where it was not remembered.

        Raises Unavailable.
        """
        ...

    async def evaluator(self, log_id: str, partition: int) -> str | None:
        """What decided the turns up to the position, None where it was not remembered.

        Raises Unavailable.
        """
        ...

    async def applied(self, log_id: str, partition: int, before_turn: int) -> list[AppliedVersion]:
        """What turns below `before_turn` applied, in their order. Raises Unavailable."""
        ...

    async def write(self, turn: Turn) -> Outcome:
        """Write the turn in one transaction. Raises Fenced or Unavailable; nothing is written then.

        What the store refuses, again and again for a while, waits, and what follows of the same
        award waits behind it; the rest of the turn is written. What waits is tried again first.
        """
        ...

    async def retry(self, log_id: str, partition: int, position: Position) -> Outcome:
        """Try again to write what waits in a partition that is at `position`.

        The outcome says what is accepted by now, and whether any still waits. Raises Fenced or
        Unavailable.
        """
        ...

    async def waiting(self) -> list[Waiting]:
        """Why anything waits, in any partition. Raises Unavailable or Refused."""
        ...

    async def awards(self, log_id: str, partition: int, mentors: Sequence[str]) -> list[Award]:
        """The awards of these mentors, with what waits as if it were written.

        By mentor and definition, to compare a caught-up fold with. Raises Unavailable or Refused.
        """
        ...

    async def found(self, log_id: str) -> list[Found]:
        """What waited as this log went live: held as found. Raises Unavailable or Refused."""
        ...


class Message(Protocol):
    """A raw record, as aiokafka gives it. `timestamp` is in milliseconds."""

    @property
    def offset(self) -> int: ...
    @property
    def timestamp(self) -> int: ...
    @property
    def key(self) -> bytes | None: ...
    @property
    def value(self) -> bytes | None: ...


class DeadLetter(Struct, frozen=True):
    """Input that could not be used: where it was, why, and the original bytes, key and value.

    `table` and `row_id` say which row it is of, where that could be read. Dead letters with a
    `badge_definition_id` are decisions that Postgres refused, as older versions kept them.
    """

    log_id: str
    partition: int
    offset: int
    reason: str
    at: datetime
    key: bytes | None = None
    value: bytes | None = None
    badge_definition_id: str | None = None
    table: str | None = None
    row_id: str | None = None


class DeadLetters(Protocol):
    """Where unusable input is kept, keyed by its position, so that sending it twice is harmless."""

    async def send(self, letters: Sequence[DeadLetter]) -> None:
        """Return when the dead letters are durable. Raises Unavailable."""
        ...

    async def remove(self, keys: Collection[str]) -> None:
        """Return when the dead letters under these keys are gone for good. Raises Unavailable."""
        ...
