"""What is suspicious about one award: by what the rows say, by its events, or by itself."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final
from uuid import UUID

import msgspec
from asyncpg import Record
from msgspec import Struct

from badges.queries.audit.evidence import falls_short, read_evidence
from badges.queries.audit.findings import Finding, FindingKind
from badges.queries.audit.rules import Definition

_DATES: Final = ("earned_on", "earned_at")
_TIER_DATES: Final = ("tier_earned_on", "tier_earned_at")
_TIER: Final = ("tier", *_TIER_DATES)
_WHOLE: Final = (*_DATES, *_TIER, "definition_version")


class Suspicion(Struct, frozen=True):
    """An award, or the lack of one, that is not what it should be at first sight."""

    finding: Finding
    is_error: bool
    """Whether nothing can explain it; else its reason is still to be looked for."""
    by_rows: bool
    """Whether it follows from the rows as they are now, and so from the badges it builds on."""
    award_id: UUID | None = None
    version: int | None = None
    """The version that gave the award."""

    @property
    def pair(self) -> tuple[UUID, UUID]:
        """The mentor and the definition."""
        mentor, definition = self.finding.peer_mentor_id, self.finding.badge_definition_id
        assert definition is not None
        return mentor, definition


class _Case:
    """One award, or the lack of one, beside what the statements say of it."""

    def __init__(self, definition: Definition, row: Record, *, by_rows: bool) -> None:
        self.definition = definition
        self.row = row
        self.expected = _decoded(row["expected"])
        self.found = _decoded(row["found"])
        self._by_rows = by_rows

    def differs(
        self,
        kind: FindingKind,
        reason: str,
        *,
        expected: Mapping[str, Any] | None,
        columns: Sequence[str] = (),
        is_error: bool = True,
    ) -> Suspicion:
        """What was found is told by the columns, or by those that are expected."""
        found = {name: self.found[name] for name in columns or expected or ()}
        finding = Finding(
            kind,
            self.row["peer_mentor_id"],
            self.definition.id,
            expected,
            found if self.row["id"] is not None else None,
            reason,
        )
        return Suspicion(
            finding, is_error, self._by_rows, self.row["id"], self.row["definition_version"]
        )

    def should_be(self, columns: Sequence[str]) -> dict[str, Any]:
        return {name: self.expected[name] for name in columns}


def by_rows(definition: Definition, row: Record) -> Iterator[Suspicion]:
    """What differs from what the rows say now, of a row of `compare`."""
    case = _Case(definition, row, by_rows=True)
    if row["id"] is None:
        reason = f"the criteria hold since {case.expected['earned_on']}, and there is no award"
        yield case.differs("missing", reason, expected=case.should_be(_WHOLE))
    elif not row["holds"]:
        yield _held_without(case)
    else:
        yield from _held(case)


def _held_without(case: _Case) -> Suspicion:
    """The rule gave what does not hold by the rows as they are."""
    row, definition = case.row, case.definition
    if not row["is_on_record"]:
        reason = "the criteria do not hold, and nothing tells that they ever did"
        return _extra(case, reason)
    if definition.newest.revocable:
        reason = "the criteria do not hold any more, and it was not revoked"
        return case.differs("revocation", reason, expected={"revoked_by": "rule"})
    evidence = read_evidence(row["evidence"])
    given_by = definition.version(evidence.definition_version) if evidence else None
    if evidence and given_by and given_by.criteria and falls_short(evidence, given_by.criteria):
        return _extra(case, f"its evidence is less than version {given_by.number} asks for")
    return _extra(case, "", is_error=False)


def _extra(case: _Case, reason: str, *, is_error: bool = True) -> Suspicion:
    columns = (*_DATES, "tier", "awarded_by", "definition_version")
    return case.differs("extra", reason, expected=None, columns=columns, is_error=is_error)


def _held(case: _Case) -> Iterator[Suspicion]:
    """The criteria hold, and there is an award."""
    row = case.row
    if row["revoked_by"] == "rule":
        reason = "the criteria hold again, and it was not given back"
        yield case.differs("revocation", reason, expected={"revoked_by": None})
    elif row["revoked_by"] is None and row["tier_reached"] not in (None, row["tier"]):
        yield from _tier(case)
    if row["awarded_by"] == "rule" and not row["same_date"]:
        # What nobody tells of has no other date than that of the rows.
        is_error = not row["is_on_record"]
        reason = "the rows give another date" if is_error else ""
        yield case.differs("date", reason, expected=case.should_be(_DATES), is_error=is_error)


def _tier(case: _Case) -> Iterator[Suspicion]:
    row, definition = case.row, case.definition
    levels, tier, reached = definition.newest.levels, row["tier"], row["tier_reached"]
    held = 0
    if tier is not None:
        by = row["tier_version"] or row["definition_version"]
        held = levels.get(tier) or definition.level(tier, by)
    if held != levels[reached]:
        is_error = held < levels[reached]
        reason = f"{reached} is reached" if is_error else ""
        yield case.differs("tier", reason, expected=case.should_be(_TIER), is_error=is_error)


def by_records(definition: Definition, row: Record, *, is_decided: bool) -> Iterator[Suspicion]:
    """What differs from events or evidence, or in itself, of a row of `records`."""
    case = _Case(definition, row, by_rows=False)
    if row["awarded_by"] == "rule":
        yield from _dates(case)
        if not (is_decided or row["is_on_record"] or row["revoked_by"]):
            yield _extra(case, "nothing is decided there, and nothing tells that it ever was")
    told = row["told_tier"]
    if told is not None and row["tier"] is not None and told[:200] != row["tier"][:200]:
        expected = {**{name: case.found[name] for name in _TIER_DATES}, "tier": told}
        yield case.differs("tier", f"its events say {told}", expected=expected)
    if row["was_revoked"] is True and row["revoked_by"] is None:
        by = row["by_whom"] if row["by_whom"] not in (None, "audit") else "rule"
        reason = f"its events say that {by} revoked it"
        yield case.differs("revocation", reason, expected={"revoked_by": by})
    elif row["was_revoked"] is False and row["revoked_by"] is not None:
        reason = "its events do not say that it was revoked"
        yield case.differs("revocation", reason, expected={"revoked_by": None})


def _dates(case: _Case) -> Iterator[Suspicion]:
    row, expected = case.row, case.should_be(_DATES)
    if not row["is_proven"]:
        reason = f"its evidence says {expected['earned_on']}"
        yield case.differs("date", reason, expected=expected)
    elif row["is_strict"] and not row["begins"]:
        if row["begins_elsewhere"] and case.definition.organization_id is None:
            reason = "its date begins there in the time zone of another organization"
            yield case.differs("date", reason, expected=expected, is_error=False)
        else:
            reason = "its date does not begin there in any time zone of the organization"
            yield case.differs("date", reason, expected=expected)
    elif not row["lies"]:
        reason = "its instant does not lie on its date"
        yield case.differs("date", reason, expected=expected)
    elif not row["tier_lies"]:
        reason = "the instant of its tier does not lie on the date of its tier"
        yield case.differs("date", reason, expected=case.should_be(_TIER_DATES))


def _decoded(row: str | None) -> dict[str, Any]:
    return {} if row is None else msgspec.json.decode(row, type=dict[str, Any])
