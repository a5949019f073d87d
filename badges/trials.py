"""A trial: rows that somebody wrote down, run through the fold, and the awards they expect of it.

The format is described in docs/criteria.md. No stack, no clock and no database is needed.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal, Self

import msgspec
from pydantic import BaseModel, Field, StrictInt, TypeAdapter, ValidationError, model_validator

from streams.errors import FOUND_A_PROBLEM, Failure
from streams.log_tables import NAMED
from streams.records import Record
from tables.decisions import Cause
from tables.documents import MISMATCH, read, shown
from tables.evaluation import evaluate
from tables.languages import Language, Text
from tables.ledger import Ledger
from tables.periods import as_date, day_number
from tables.rules import RuleBook
from tables.types import Award, DefinitionVersion, Mentor, OrganizationVersion
from tables.watchlist import Watchlist

_ID = "mentor"
_ORGANIZATION = "organization"
_GIVEN = {"id": "", "peer_mentor_id": _ID, "organization_id": _ORGANIZATION}
"""What a trial does not say of a row, or says apart."""
_NO_AWARD = Text("no award", "ingen tildeling")
_REVOKED = Text("revoked, ", "trukket tilbake, ")
_EARNED = Text("earned on {on}", "oppnådd {on}")
_TIER = Text(", {tier} on {on}", ", {tier} {on}")
_SAVED = datetime(2026, 1, 1, tzinfo=UTC)
_MOST_TIMES = 10_000


class _Badge(BaseModel, extra="forbid"):
    key: str
    criteria: Any
    counts_from: date | None = None
    revocable: bool = False
    status: Literal["draft", "active", "retired"] = "active"


class _Row(BaseModel, extra="allow"):
    """A change of a row: some of its table's columns, of which a delete needs none.

    Where it is `times` rows, each is dated `every_days` after the one before, and has an id of its
    own.
    """

    table: Literal["activities", "training_completions", "mentor_pauses", "peer_mentors"]
    id: str | None = None
    deleted: bool = False
    times: StrictInt = Field(1, ge=1, le=_MOST_TIMES)
    every_days: StrictInt = Field(1, ge=0, le=_MOST_TIMES)

    @model_validator(mode="after")
    def _is_of_its_table(self) -> Self:
        known = NAMED[self.table].columns.keys() - _GIVEN.keys()
        for name in self.columns.keys() - known:
            raise ValueError(f"{self.table} has no {name}, only {', '.join(sorted(known))}")
        if self.times > 1 and (self.deleted or self.id is not None):
            raise ValueError("a row of several times has neither an id nor is it deleted")
        if not self.deleted:
            for each in self.each():
                each.record("")
        return self

    @property
    def columns(self) -> Mapping[str, Any]:
        return self.model_extra or {}

    def each(self) -> Iterator["_Row"]:
        """The rows that this stands for, in their order."""
        if self.times == 1:
            yield self
            return
        for number in range(self.times):
            shift = timedelta(days=number * self.every_days)
            dates = {
                name: _later(name, value, shift)
                for name, value in self.columns.items()
                if _is_date(name) and value is not None
            }
            yield self.model_copy(update={"times": 1, **dates})

    def record(self, row_id: str) -> Record:
        """The row as the log would bring it. Raises ValueError where that is impossible."""
        table = NAMED[self.table]
        said = {name: _logged(name, value) for name, value in self.columns.items()}
        unsaid = {**dict.fromkeys(table.columns), **dict.fromkeys(table.texts, "")}
        meta = {"__table": table.name, "__op": "c"}
        try:
            return msgspec.convert(
                {**unsaid, **said, **_GIVEN, **meta, "id": row_id}, table.record, strict=False
            )
        except msgspec.ValidationError as error:
            message, _, name = str(error).removesuffix("`").partition(" - at `$.")
            if _is_date(name):
                message = "a row that is not deleted needs this date"
            raise ValueError(f"{name}: {message}") from None


def _logged(name: str, value: Any) -> Any:
    """A value as the log has it, where a date is a number."""
    if value is None or not _is_date(name):
        return value
    try:
        return day_number(date.fromisoformat(value))
    except (TypeError, ValueError):
        raise ValueError(f"{name}: expected a date like 2026-01-31, found {shown(value)}") from None


def _later(name: str, value: Any, shift: timedelta) -> str:
    try:
        return str(as_date(_logged(name, value)) + shift)
    except OverflowError:
        raise ValueError(f"{name}: so many times end after the year 9999") from None


def _is_date(name: str) -> bool:
    return name.endswith(("_on", "_date"))


class _TrialAward(BaseModel, extra="forbid"):
    """An award as a trial expects or finds it; dates are those of the organization."""

    badge: str
    earned_on: date
    tier: str | None = None
    tier_earned_on: date | None = None
    revoked: bool = False


class Trial(BaseModel, extra="forbid"):
    """One mentor's rows in the order of their events, and the awards expected at the end."""

    name: str = "trial"
    timezone: str = "Europe/Oslo"
    badges: list[_Badge]
    rows: list[_Row]
    expected: list[_TrialAward]


_TRIALS: TypeAdapter[list[Trial]] = TypeAdapter(list[Trial])


def read_trials(text: bytes, source: str) -> list[Trial]:
    """The trials of a file, which holds one or a list of them; source "-" is standard input.

    Raises Failure with the first thing that is wrong, be it the JSON, its shape or a repetition.
    """
    source = "standard input" if source == "-" else source
    document, problems = read(text)
    if problems:
        raise Failure(f"{source}, {problems[0]}; see docs/criteria.md")
    several = isinstance(document, list)
    if document == []:
        raise Failure(f"{source} holds no trial", hint="docs/criteria.md has an example")
    try:
        trials = _TRIALS.validate_python(document if several else [document])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][0 if several else 1 :])
        where = f"{source}, {place}" if place else source
        message = first["msg"].removeprefix("Value error, ")
        raise Failure(f"{where}: {message}; see docs/criteria.md") from None
    for number, trial in enumerate(trials):
        place = f"{number}." if several else ""
        for repetition in _repetitions(trial):
            raise Failure(f"{source}, {place}{repetition}")
    return trials


def _repetitions(trial: Trial) -> Iterator[str]:
    """Badges and expected awards of which only one could be looked at: where, and what to do."""
    for place, key, first in _again(badge.key for badge in trial.badges):
        yield (
            f"badges.{place}.key: badges.{first} has the key {shown(key)} already; "
            "give each badge a key of its own, or take one of the two out"
        )
    for place, key, first in _again(held.badge for held in trial.expected):
        yield (
            f"expected.{place}.badge: expected.{first} is about {shown(key)} already; "
            "a mentor holds a badge once, so take one of the two out"
        )


def _again(keys: Iterable[str]) -> Iterator[tuple[int, str, int]]:
    """Each key that was there before: its place, the key, and the place where it was first."""
    seen: dict[str, int] = {}
    for place, key in enumerate(keys):
        first = seen.setdefault(key, place)
        if first != place:
            yield place, key, first


def run(trial: Trial) -> list[_TrialAward]:
    """The awards that the fold comes to. Raises Failure on criteria or a time zone it rejects."""
    book = RuleBook()
    book.apply([OrganizationVersion(_ORGANIZATION, 1, _SAVED, trial.timezone), *_saved(trial)])
    for name, reason in book.set_aside.items():
        raise Failure(f"{trial.name}, {name}: {reason}", code=FOUND_A_PROBLEM)
    watchlist = Watchlist(Ledger(_ID), book)
    watchlist.ledger.put_mentor(Mentor(_ID, _ORGANIZATION, True))
    rows = (each for row in trial.rows for each in row.each())
    for place, row in enumerate(rows):
        table, row_id = NAMED[row.table], row.id or f"row {place}"
        if not row.deleted:
            table.put(watchlist.ledger, row.record(row_id))
        elif table.of_mentor:
            table.drop(watchlist.ledger, row_id)
        else:
            # The delete cascades: the same mentor inserted again starts from nothing.
            watchlist = Watchlist(Ledger(_ID), book)
        evaluate(watchlist, Cause("trial", 0, place))
    return [_held(award) for award in sorted(watchlist.ledger.held.values(), key=_name)]


def differences(trial: Trial, found: list[_TrialAward], language: Language) -> Iterator[str]:
    """What is other than expected, in words."""
    expected = {held.badge: held for held in trial.expected}
    awards = {held.badge: held for held in found}
    for badge in sorted({*expected, *awards}):
        wanted, had = expected.get(badge), awards.get(badge)
        if wanted != had:
            said = _said(wanted, language), _said(had, language)
            yield f"{badge}: {MISMATCH(language, expected=said[0], found=said[1])}"


def _saved(trial: Trial) -> Iterator[DefinitionVersion]:
    for badge in trial.badges:
        yield DefinitionVersion(
            id=badge.key,
            version=1,
            saved_at=_SAVED,
            deleted=False,
            key=badge.key,
            criteria=json.dumps(badge.criteria),
            counts_from=None if badge.counts_from is None else day_number(badge.counts_from),
            revocable=badge.revocable,
            status=badge.status,
        )


def _held(award: Award) -> _TrialAward:
    tier_earned = award.tier_earned_on
    return _TrialAward(
        badge=award.badge_definition_id,
        earned_on=as_date(award.day),
        tier=award.tier,
        tier_earned_on=None if tier_earned is None else as_date(tier_earned),
        revoked=award.revoked_by is not None,
    )


def _name(award: Award) -> str:
    return award.badge_definition_id


def _said(held: _TrialAward | None, language: Language) -> str:
    if held is None:
        return _NO_AWARD(language)
    tier = ""
    if held.tier:
        tier = _TIER(language, tier=held.tier, on=str(held.tier_earned_on))
    revoked = _REVOKED(language) if held.revoked else ""
    return f"{revoked}{_EARNED(language, on=str(held.earned_on))}{tier}"
