"""Awards as the source tables say they should be, against those that there are."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias
from uuid import UUID

import msgspec
from asyncpg import Record
from msgspec import Struct

from badges.queries.audit.findings import WAITS, Finding
from badges.queries.audit.rules import Rules
from badges.queries.audit.statements import AUDIT
from badges.queries.audit.suspicions import Suspicion, by_records, by_rows
from sinks.pool import Connection

_BUILDS_ON: Final = "it builds on a badge that is wrong itself: look again once that is mended"
_CHANGES_OTHERS: Final = ("missing", "extra", "revocation")
"""Findings that change for which mentors the badges that build on theirs hold."""

_Decided: TypeAlias = Mapping[UUID, Mapping[UUID, frozenset[UUID]]]
"""By mentor: the definitions that are decided, with those that each of them builds on."""


class MentorRow(Struct, frozen=True):
    """A mentor, and whether anything is decided about them."""

    id: UUID
    organization_id: UUID
    active: bool


async def award_findings(
    connection: Connection, rules: Rules, mentors: Sequence[MentorRow]
) -> tuple[list[Finding], list[Finding]]:
    """What is wrong with the awards of some mentors, and what differs for a reason."""
    decided = {
        mentor.id: rules.decided(mentor.organization_id) for mentor in mentors if mentor.active
    }
    ids = [mentor.id for mentor in mentors]
    suspicions = [
        *await _by_records(connection, rules, decided, ids),
        *await _by_rows(connection, rules, decided),
    ]
    waiting = {tuple(row) for row in await connection.fetch(AUDIT["waiting"], ids)}
    findings, doubtful = _sorted_out(suspicions, decided, waiting)
    return findings, await _explained(connection, rules, doubtful)


async def _by_records(
    connection: Connection, rules: Rules, decided: _Decided, mentors: Sequence[UUID]
) -> list[Suspicion]:
    return [
        suspicion
        for row in await connection.fetch(AUDIT["records"], mentors)
        for suspicion in by_records(
            rules.definitions[row["badge_definition_id"]],
            row,
            is_decided=row["badge_definition_id"] in decided.get(row["peer_mentor_id"], ()),
        )
    ]


async def _by_rows(connection: Connection, rules: Rules, decided: _Decided) -> list[Suspicion]:
    mentors: dict[UUID, list[UUID]] = defaultdict(list)
    for mentor, definitions in decided.items():
        for definition_id in definitions:
            mentors[definition_id].append(mentor)
    found: list[Suspicion] = []
    for definition_id, among in mentors.items():
        definition = rules.definitions[definition_id]
        rows = await connection.fetch(
            AUDIT["compare"], among, definition_id, definition.newest.number
        )
        found += [each for row in rows for each in by_rows(definition, row)]
    return found


def _sorted_out(
    suspicions: Iterable[Suspicion], decided: _Decided, waiting: set[tuple[UUID, ...]]
) -> tuple[list[Finding], list[Suspicion]]:
    """Findings, at most one of each kind and award, and what may be explained."""
    by_key: dict[tuple[UUID, UUID, str], list[Suspicion]] = defaultdict(list)
    for each in suspicions:
        by_key[*each.pair, each.finding.kind].append(each)
    wrong = {
        each.pair for each in suspicions if each.is_error and each.finding.kind in _CHANGES_OTHERS
    }
    findings: list[Finding] = []
    doubtful: list[Suspicion] = []
    for (mentor, definition, _), alike in by_key.items():
        needs = decided.get(mentor, {}).get(definition, frozenset())
        is_shaken = any((mentor, needed) in wrong for needed in needs)
        errors = [each for each in alike if each.is_error]
        certain = [each for each in errors if not (each.by_rows and is_shaken)]
        if waiting & {(mentor, definition), (mentor, None)}:
            doubtful.append(_because(alike[0], WAITS))
        elif certain:
            # What the rows say comes last, and says all of what is expected.
            findings.append(certain[-1].finding)
        else:
            doubtful.append(_because(errors[0], _BUILDS_ON) if errors else alike[0])
    return findings, doubtful


def _because(suspicion: Suspicion, reason: str) -> Suspicion:
    finding = msgspec.structs.replace(suspicion.finding, reason=reason)
    return msgspec.structs.replace(suspicion, finding=finding)


async def _explained(
    connection: Connection, rules: Rules, doubtful: Sequence[Suspicion]
) -> list[Finding]:
    """What differs, each with the reason for it."""
    unknown = [each for each in doubtful if not each.finding.reason]
    evidence = {
        row["id"]: row
        for row in await connection.fetch(AUDIT["evidence"], [each.award_id for each in unknown])
    }
    older = await _dates_of_older_versions(connection, rules, unknown)
    explained = [each.finding for each in doubtful if each.finding.reason]
    for each in unknown:
        reason = _reason(each, evidence[each.award_id], older.get((*each.pair, each.version)))
        explained.append(_because(each, reason).finding)
    return explained


def _reason(suspicion: Suspicion, evidence: Record, older_date: str | None) -> str:
    kind, found = suspicion.finding.kind, suspicion.finding.found or {}
    if kind == "tier":
        return "a higher tier was reached before, and none is lost"
    if kind == "date" and evidence["dated_by"] not in (None, "audit"):
        return f"{evidence['dated_by']} wrote the date"
    if older_date is not None and (kind == "extra" or older_date == found["earned_on"]):
        return f"version {suspicion.version} of its definition gives it, and no edit takes it away"
    if evidence["gone"]:
        return (
            f"{evidence['gone']} of the {evidence['named']} rows that its evidence names are gone, "
            "or are about somebody else"
        )
    if not evidence["is_ours"]:
        return "it was held as found, and nothing says what earned it"
    return "rows, pauses or badges changed after it was earned"


async def _dates_of_older_versions(
    connection: Connection, rules: Rules, suspicions: Iterable[Suspicion]
) -> Mapping[tuple[UUID, UUID, int | None], str]:
    """Of those that hold by the version that gave the award, the date, as ISO 8601 has it."""
    mentors: dict[tuple[UUID, int], list[UUID]] = defaultdict(list)
    for each in suspicions:
        mentor, definition = each.pair
        newest = rules.definitions[definition].newest.number
        if each.version not in (None, newest) and each.finding.kind in ("date", "extra"):
            mentors[definition, each.version].append(mentor)
    return {
        (row["peer_mentor_id"], definition, version): row["earned_on"]
        for (definition, version), among in mentors.items()
        for row in await connection.fetch(AUDIT["dates"], among, definition, version)
    }
