"""A trial: rows that somebody wrote down, run through the fold, and the awards they expect of it.

The format is described in docs/criteria.md. No stack, no clock and no database is needed.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from streams.errors import FOUND_A_PROBLEM, Problem
from tables.decisions import Cause
from tables.documents import read, shown
from tables.evaluation import evaluate
from tables.ledger import Ledger
from tables.periods import as_date, day_number
from tables.rules import RuleBook
from tables.types import (
    Activity,
    Award,
    DefinitionVersion,
    Mentor,
    OrganizationVersion,
    Pause,
    TrainingCompletion,
)
from tables.watchlist import Watchlist

_ID = "mentor"
_ORGANIZATION = "organization"
_SAVED = datetime(2026, 1, 1, tzinfo=UTC)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Badge(_Strict):
    key: str
    criteria: Any
    counts_from: date | None = None
    revocable: bool = False
    status: Literal["draft", "active", "retired"] = "active"


class _Row(_Strict):
    id: str | None = None
    deleted: bool = False


class _ActivityRow(_Row):
    table: Literal["activities"]
    activity_type: str = ""
    activity_date: date | None = None
    duration_minutes: Annotated[int, Field(ge=0, lt=2**31)] | None = None

    def put(self, ledger: Ledger, row_id: str, where: str) -> None:
        day = _day(self.activity_date, f"{where}.activity_date")
        ledger.put_activity(Activity(row_id, _ID, self.activity_type, day, self.duration_minutes))

    def drop(self, ledger: Ledger, row_id: str) -> None:
        ledger.drop_activity(row_id)


class _TrainingRow(_Row):
    table: Literal["training_completions"]
    course_code: str = ""
    completed_on: date | None = None

    def put(self, ledger: Ledger, row_id: str, where: str) -> None:
        day = _day(self.completed_on, f"{where}.completed_on")
        ledger.put_training(TrainingCompletion(row_id, _ID, self.course_code, day))

    def drop(self, ledger: Ledger, row_id: str) -> None:
        ledger.drop_training(row_id)


class _PauseRow(_Row):
    table: Literal["mentor_pauses"]
    starts_on: date | None = None
    ends_on: date | None = None

    def put(self, ledger: Ledger, row_id: str, where: str) -> None:
        ends = None if self.ends_on is None else day_number(self.ends_on)
        ledger.put_pause(Pause(row_id, _ID, _day(self.starts_on, f"{where}.starts_on"), ends))

    def drop(self, ledger: Ledger, row_id: str) -> None:
        ledger.drop_pause(row_id)


class _MentorRow(_Row):
    table: Literal["peer_mentors"]
    active: bool = True

    def put(self, ledger: Ledger, _id: str, _where: str) -> None:
        ledger.put_mentor(Mentor(_ID, _ORGANIZATION, self.active))


_AnyRow = Annotated[
    _ActivityRow | _TrainingRow | _PauseRow | _MentorRow, Field(discriminator="table")
]


class _TrialAward(_Strict):
    """An award as a trial expects or finds it; dates are those of the organization."""

    badge: str
    earned_on: date
    tier: str | None = None
    tier_earned_on: date | None = None
    revoked: bool = False


class Trial(_Strict):
    """One mentor's rows in the order of their events, and the awards expected at the end."""

    name: str = "trial"
    timezone: str = "Europe/Oslo"
    badges: list[_Badge]
    rows: list[_AnyRow]
    expected: list[_TrialAward]


_TRIALS: TypeAdapter[list[Trial]] = TypeAdapter(list[Trial])


def read_trials(text: bytes, source: str) -> list[Trial]:
    """The trials of a file, which holds one or a list of them; source "-" is standard input.

    Raises Problem with the first thing that is wrong, be it the JSON, its shape or a repetition.
    """
    source = "standard input" if source == "-" else source
    document, problems = read(text)
    if problems:
        raise Problem(f"{source}, {problems[0]}; see docs/criteria.md")
    several = isinstance(document, list)
    if document == []:
        raise Problem(f"{source} holds no trial", hint="docs/criteria.md has an example")
    try:
        trials = _TRIALS.validate_python(document if several else [document])
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"][0 if several else 1 :])
        where = f"{source}, {place}" if place else source
        raise Problem(f"{where}: {first['msg']}; see docs/criteria.md") from None
    for number, trial in enumerate(trials):
        place = f"{number}." if several else ""
        for repetition in _repetitions(trial):
            raise Problem(f"{source}, {place}{repetition}")
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
    """The awards that the fold comes to. Raises Problem on criteria or a time zone it rejects."""
    book = RuleBook()
    book.apply([OrganizationVersion(_ORGANIZATION, 1, _SAVED, trial.timezone), *_saved(trial)])
    for name, reason in book.set_aside.items():
        raise Problem(f"{trial.name}, {name}: {reason}", code=FOUND_A_PROBLEM)
    watchlist = Watchlist(Ledger(_ID), book)
    watchlist.ledger.put_mentor(Mentor(_ID, _ORGANIZATION, True))
    for place, row in enumerate(trial.rows):
        row_id = row.id or f"row {place}"
        if not row.deleted:
            row.put(watchlist.ledger, row_id, f"{trial.name}, rows.{place}")
        elif isinstance(row, _MentorRow):
            # The delete cascades: the same mentor inserted again starts from nothing.
            watchlist = Watchlist(Ledger(_ID), book)
        else:
            row.drop(watchlist.ledger, row_id)
        evaluate(watchlist, Cause("trial", 0, place))
    return [_held(award) for award in sorted(watchlist.ledger.held.values(), key=_name)]


def differences(trial: Trial, found: list[_TrialAward]) -> Iterator[str]:
    """What is other than expected, in words."""
    expected = {held.badge: held for held in trial.expected}
    awards = {held.badge: held for held in found}
    for badge in sorted({*expected, *awards}):
        wanted, had = expected.get(badge), awards.get(badge)
        if wanted != had:
            yield f"{badge}: expected {_said(wanted)}, found {_said(had)}"


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


def _day(value: date | None, place: str) -> int:
    if value is None:
        raise Problem(f"{place}: a row that is not deleted needs this date")
    return day_number(value)


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


def _said(held: _TrialAward | None) -> str:
    if held is None:
        return "no award"
    tier = f", {held.tier} on {held.tier_earned_on}" if held.tier else ""
    return f"{'revoked, ' if held.revoked else ''}earned on {held.earned_on}{tier}"
