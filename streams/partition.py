"""One partition's state: every mentor's ledger and the rules in effect, up to an offset.

Pure: it is given records and versions, and gives back what to write. The same code runs live, in
recovery and in tests, so a crash or another batch boundary cannot change an outcome.
"""

from collections.abc import Container, Iterable, Mapping, Sequence

from msgspec import Struct

from sinks import turns
from sinks.base import DeadLetter, Found, Message, Place, Position, Turn
from streams.dedup import Deduplicator, HighWaterMark
from streams.drafts import Draft, dead_letter
from streams.evaluator import FINGERPRINT
from streams.log.debezium import UNAVAILABLE, UNREADABLE, sequence_of
from streams.log_tables import TABLES
from streams.records import AwardRecord, MentorRecord, Record, check_id, decode, mentor_of
from streams.unusable import MOST_IN_A_ROW, Outline, outline
from streams.whole import check_added, check_columns, check_delete, fill_in
from tables.decisions import Cause, Decision
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.rules import RuleBook
from tables.types import Applied, AppliedVersion, RuleKey, Version, rule_key
from tables.watchlist import Watchlist

_READ_OR_DELETED = ("r", "d")
"""What is rare among records, and looked at more closely."""


class Bookmark(Struct, frozen=True):
    """Where a partition stands between two turns: what it holds besides its ledgers.

    `in_a_row` are the records in a row of each table that could not be used.
    """

    position: Position
    taken_up: Sequence[AppliedVersion]
    last: Place | None
    high_water_mark: HighWaterMark
    in_a_row: Mapping[str, int]


class Partition:
    """The state of one partition of a generation of the log.

    `start` is the generation's start in this partition: records below it are only folded, and all
    of them are decided together by the first turn; from there every record is an event. `columns`
    are those that the generation publishes of each table, `stand_in` is what it has in the place of
    a text that was not sent.
    """

    def __init__(
        self,
        log_id: str,
        number: int,
        start: int,
        columns: Mapping[str, Sequence[str]] | None = None,
        stand_in: str = UNAVAILABLE,
    ) -> None:
        self.log_id = log_id
        self.number = number
        self.start = start
        self.next_offset = 0
        self.turn = 0
        self.book = RuleBook()
        self.applied: Applied = {}
        self.taken_up: list[AppliedVersion] = []
        """Where each of them took effect, and those that they replaced."""
        self.mentors: dict[str, Watchlist] = {}
        """The ledger of each mentor of whom there is anything, with what the rules wait for."""
        self.departures = 0
        """How many deletes of mentors were folded, since the log's start or a checkpoint."""
        self._columns = columns or {}
        self._stand_in = stand_in
        self._turn_start = 0
        self.excused: Container[str] = ()
        """Tables of which any number of records in a row may be unusable, for the time being."""
        # The records in a row of each table that could not be used, up to the last one.
        self._in_a_row: dict[str, int] = {}
        self._last: Message | Place | None = None
        self._given_up: set[str] = set()
        self._order = Deduplicator(number, start)
        self._draft = Draft()

    @property
    def position(self) -> Position:
        return Position(self._turn_start, self.turn)

    @property
    def last(self) -> Place | None:
        last = self._last
        if last is None or isinstance(last, Place):
            return last
        return Place(last.offset, sequence_of(last.value))

    def ledger(self, mentor: str) -> Ledger | None:
        """What there is about a mentor, if anything."""
        watchlist = self.mentors.get(mentor)
        return watchlist.ledger if watchlist else None

    def hold(self, found: Iterable[Found]) -> None:
        """Hold what waited as the generation went live, once the rows below `start` are folded."""
        for each in found:
            ledger = self.ledger(each.award.peer_mentor_id)
            if ledger is None:
                continue
            if each.gone:
                ledger.drop_award(each.award.id)
            else:
                ledger.put_award(each.award)

    def apply(self, versions: Iterable[Version]) -> None:
        """Put versions into effect before the next record; `decide` every mentor before that."""
        versions = list(versions)
        self.book.apply(versions)
        for key, version in _newest(versions).items():
            self.applied[key] = version
            taken_up = AppliedVersion(self.number, self.turn, self._turn_start, *key, version)
            self._draft.applied.append(taken_up)
            self.taken_up.append(taken_up)

    def decide(self, mentors: Iterable[str]) -> None:
        """Decide some mentors by the versions that were put into effect."""
        # Where those are recorded to: who reads again gives the same ids, whatever was passed over.
        cause = Cause(self.log_id, self.number, self._turn_start, turn=self.turn)
        for mentor in mentors:
            watchlist = self.mentors[mentor]
            self._draft.decisions += evaluate(watchlist, cause)
            if self.turn == 0:
                self._draft.touched[mentor] = watchlist.ledger

    def fold(  # noqa: PLR0912 - each row goes through it, and a call costs a row two per cent
        self, messages: Iterable[Message], *, waiting: bool = True
    ) -> Record | Outline | None:
        """Fold records in the order of their offsets; those below `next_offset` are passed over.

        Returns None when all are folded, or the record before which it stopped: a Record that names
        an organization or definition of which no version was applied, for it can be on its way; or
        the Outline of one that is one too many in a row that cannot be used, unless its table is
        `excused`. Not `waiting`, an unknown organization is in UTC. Raises LogBroken.
        """
        order, start, stand_in = self._order, self.start, self._stand_in
        for message in messages:
            offset = message.offset
            if offset < self.next_offset:
                continue
            try:
                record = decode(message.value or b"")
                is_duplicate = order.is_duplicate(record.sequence)
                mentor = mentor_of(record)
                watchlist = self.mentors.get(mentor)
                if watchlist is None and record.op != "d":
                    check_id(mentor)
            except UNREADABLE as error:
                one_too_many = self._fold_unusable(message, error)
                if one_too_many is not None:
                    return one_too_many
            else:
                # Below the start the last state counts; what is sent again comes again up to that.
                table = TABLES[type(record)]
                if record.op in _READ_OR_DELETED or table.rule:
                    self._check(record, message)
                if self._in_a_row and not is_duplicate and record.op != "d":
                    self._in_a_row.pop(table.name, None)
                if offset < start or not is_duplicate:
                    # Before anything is read from the row: a rule may be named by such a text.
                    for column in table.texts:
                        if getattr(record, column) == stand_in:
                            ledger = watchlist.ledger if watchlist else None
                            fill_in(record, column, ledger, self.number, offset)
                    if offset < start:
                        if type(record) is AwardRecord and record.op != "r":
                            order.note_award(record.id, record.op)
                        self._put_or_drop(record, watchlist)
                    elif waiting and table.rule and self._names_unknown_rule(record):
                        return record
                    else:
                        self._fold_event(record, message, watchlist)
            self.next_offset = offset + 1
            self._last = message
        return None

    def _check(self, record: Record, message: Message) -> None:
        """Raise LogBroken where a record cannot be of this log."""
        if record.op == "r":
            self._order.check_snapshot(record.lsn, message.offset)
        elif record.op == "d":
            check_delete(record, message.key, self.number, message.offset)
        if type(record) is AwardRecord:
            check_added(record, self._columns, self.number, message.offset)

    def pass_over(self, offset: int) -> None:
        """Go on at an offset: what lies before it is folded, or holds no record."""
        self.next_offset = max(self.next_offset, offset)

    def give_up(self, record: Record) -> None:
        """Wait no longer for a version of what this record names: fold it all the same."""
        self._given_up.add(rule_named(record))

    @property
    def turn_is_empty(self) -> bool:
        """Whether there is nothing to write, not even a position; never so for the first turn."""
        moved = self.next_offset > self._turn_start
        return self.turn > 0 and not moved and not self._draft.applied

    def close_turn(self) -> tuple[Turn, Sequence[DeadLetter]]:
        """What the open turn writes, and what could not be decoded; the next one begins here."""
        draft, self._draft = self._draft, Draft()
        turn = Turn(
            log_id=self.log_id,
            partition=self.number,
            number=self.turn,
            start=self._turn_start,
            end=self.next_offset,
            applied=draft.applied,
            mentors_deleted=draft.mentors_deleted,
            decisions=draft.decisions,
            xids=[xid for xid in draft.xids if xid is not None],
            stats=[ledger.stats() for ledger in draft.touched.values() if ledger.mentor],
            last=self.last,
            evaluator=FINGERPRINT,
        )
        self.turn += 1
        self._turn_start = self.next_offset
        return turn, draft.dead_letters

    def hand_over(self) -> Sequence[Decision]:
        """What the open turn decided so far, which is written already: it holds that no longer."""
        draft = self._draft
        decisions, draft.decisions = draft.decisions, []
        draft.touched.clear()
        draft.xids.clear()
        if self.turn or self.next_offset > self.start:
            draft.dead_letters.clear()
        return decisions

    def resume(self, offset: int, turn: int) -> None:
        """Go on at a position: what led there is written, and offsets in between hold nothing.

        Before the first turn nothing is written yet: what could not be read is still to be told.
        """
        # Those of later turns were kept before their position moved.
        self._draft = Draft(self._draft.dead_letters if turn == 0 else ())
        self.next_offset = self._turn_start = offset
        self.turn = turn

    def bookmark(self) -> Bookmark:
        """Where it stands; to be asked while nothing is to be written."""
        mark, in_a_row = self._order.high_water_mark, dict(self._in_a_row)
        return Bookmark(self.position, list(self.taken_up), self.last, mark, in_a_row)

    def go_on_from(self, bookmark: Bookmark, versions: Iterable[Version]) -> None:
        """Stand, as a new one, where another stood; all `versions` up to there are in effect.

        What it held of mentors is still to be given: `hold_ledgers`.
        """
        self.apply(versions)
        self.taken_up = list(bookmark.taken_up)
        self.resume(bookmark.position.next_offset, bookmark.position.turn)
        self._last = bookmark.last
        self._in_a_row = dict(bookmark.in_a_row)
        self._order.go_on_from(bookmark.high_water_mark)

    def hold_ledgers(self, ledgers: Iterable[Ledger]) -> None:
        for ledger in ledgers:
            self.mentors[ledger.mentor_id] = Watchlist(ledger, self.book)

    def _fold_event(self, record: Record, message: Message, watchlist: Watchlist | None) -> None:
        draft, kind, offset = self._draft, type(record), message.offset
        if kind is AwardRecord:
            # The fold holds it since it decided it.
            if _is_own_output(record) or self._order.note_award(record.id, record.op):
                return
            draft.decisions += self._displaced(record, offset)
        watchlist = self._put_or_drop(record, watchlist)
        if watchlist is None:
            return
        draft.xids.add(record.xid)
        if kind is not AwardRecord:
            draft.touched[watchlist.ledger.mentor_id] = watchlist.ledger
        # Of most rows the watchlist knows that they change nothing: the rules are not asked then.
        if watchlist.is_quiet():
            return
        cause = Cause(self.log_id, self.number, offset, xid=record.xid)
        if kind is MentorRecord and record.op == "d":
            self.departures += 1
            draft.delete_mentors(record.id, cause)
        if decisions := evaluate(watchlist, cause):
            draft.caused_by(message, decisions)

    def _displaced(self, record: Record, offset: int) -> list[Decision]:
        """What a row that somebody inserted says of the rule's own award of the same badge.

        There is one row of a mentor and badge, so the rule's was granted too late: usually it was
        refused, but somebody may have deleted theirs before it was written. What people gave is
        theirs, also where the rule has promoted it since.
        """
        if type(record) is not AwardRecord or record.op == "d":
            return []
        ledger = self.ledger(record.peer_mentor_id)
        held = ledger.held.get(record.badge_definition_id) if ledger else None
        if held is None or held.id == record.id or not turns.is_the_rules(held):
            return []
        # Of a definition that is made up Postgres has no award to take back.
        if not self.book.knows_definition(held.badge_definition_id):
            return []
        cause = Cause(self.log_id, self.number, offset, xid=record.xid)
        return [Decision("withdrawn", cause, held, held, held.definition_version or 0)]

    def _put_or_drop(self, record: Record, watchlist: Watchlist | None) -> Watchlist | None:
        """Fold one row; whose it is if that changed anything. A delete never begins a ledger."""
        table = TABLES[type(record)]
        if record.op == "d":
            if watchlist is None:
                return None
            changed = table.drop(watchlist.ledger, record.id)
            if watchlist.ledger.empty:
                del self.mentors[watchlist.ledger.mentor_id]
            return watchlist if changed else None
        if watchlist is None:
            mentor = mentor_of(record)
            watchlist = self.mentors[mentor] = Watchlist(Ledger(mentor), self.book)
        return watchlist if table.put(watchlist.ledger, record) else None

    def _names_unknown_rule(self, record: Record) -> bool:
        if record.op == "d" or rule_named(record) in self._given_up:
            return False
        if type(record) is MentorRecord:
            return not self.book.knows_organization(record.organization_id)
        return not (_is_own_output(record) or self.book.knows_definition(rule_named(record)))

    def _is_one_too_many(self, unusable: Outline) -> bool:
        """Whether so many records of its table could not be used that somebody has to look."""
        table = unusable.table
        return (
            table is not None
            and self._in_a_row.get(table, 0) >= MOST_IN_A_ROW
            and table not in self.excused
            and unusable.op != "d"
        )

    def _fold_unusable(self, message: Message, error: Exception) -> Outline | None:
        """Set a record aside; its row counts as gone, an event like any other.

        Returns the record if it is one too many; nothing was done then.
        """
        # A row without a column is not one that says nonsense: it would never be mended by itself.
        check_columns(message.value, self._columns, self.number, message.offset)
        unusable, offset = outline(message.value or b"", self._stand_in), message.offset
        if unusable.op == "r":
            self._order.check_snapshot(unusable.lsn, offset)
        if self._order.is_duplicate(unusable.sequence) and offset >= self.start:
            return None
        if self._is_one_too_many(unusable):
            return unusable
        deletion = unusable.deletion()
        if deletion is None or unusable.op != "d":
            self._set_aside(message, unusable, error)
        if deletion is None:
            return None
        mentor = mentor_of(deletion)
        watchlist = self.mentors.get(mentor)
        text = unusable.known_text(watchlist.ledger if watchlist else None)
        if offset < self.start:
            self._put_or_drop(deletion, watchlist)
        else:
            self._fold_event(deletion, message, watchlist)
        # The next usable version may come without the text, because that did not change.
        if text is not None and unusable.op != "d":
            watchlist = self.mentors.setdefault(mentor, Watchlist(Ledger(mentor), self.book))
            watchlist.ledger.remember(deletion.id, text)
        return None

    def _set_aside(self, message: Message, unusable: Outline, error: Exception) -> None:
        if unusable.table is not None and unusable.op != "d":
            self._in_a_row[unusable.table] = self._in_a_row.get(unusable.table, 0) + 1
        letter = dead_letter(self.log_id, self.number, message, unusable, error)
        self._draft.dead_letters.append(letter)


def _newest(versions: Iterable[Version]) -> dict[RuleKey, int]:
    """The highest version of each id: the one that takes effect."""
    highest: dict[RuleKey, int] = {}
    for version in versions:
        key = rule_key(version)
        highest[key] = max(version.version, highest.get(key, 0))
    return highest


def rule_named(record: Record) -> str:
    return str(getattr(record, TABLES[type(record)].rule or ""))


def _is_own_output(record: Record) -> bool:
    """Whether the row is what the worker itself wrote: an output, not an event."""
    return type(record) is AwardRecord and record.op != "d" and record.changed_by == "rule"
