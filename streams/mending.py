"""What would make a row of badge_awards say what the fold holds, as decisions.

Only what the rule wrote last, or what is gone, is written: what a person did and the log does not
show, and dates, are left as they are, with a reason.
"""

from collections.abc import Iterator, Mapping, Sequence

import msgspec.structs
from msgspec import Struct

from streams.differences import Pair
from tables.decisions import Cause, Decision, Kind
from tables.periods import as_date
from tables.rules import RuleBook
from tables.types import Award

_FIXED = {
    "earned_on": "the date it was earned on",
    "earned_at": "the instant it was earned at",
    "definition_version": "the version that gave it",
    "awarded_by": "who gave it",
}
"""What no decision changes in a row that is there."""


class Mending(Struct, frozen=True):
    """The decisions about one award, in their order, and why some of it is left as it is."""

    decisions: Sequence[Decision] = ()
    left: Sequence[str] = ()


def mending(pair: Pair, cause: Cause, book: RuleBook, grants: Mapping[str, Decision]) -> Mending:
    """What is to be written where the fold and a row differ.

    `grants` are decisions that granted awards, by award id: from them comes the evidence.
    """
    held, row = pair
    if held is None:
        return Mending(left=["the log holds no such award"])
    if row is None:
        return Mending([*_lost(held, cause, book, grants.get(held.id))])
    if held.id != row.id:
        return Mending(left=[f"the log holds another award in its place, with the id {held.id}"])
    reasons = [
        f"the log says otherwise of {words}: {_said(held, name)}, not {_said(row, name)}"
        for name, words in _FIXED.items()
        if getattr(held, name) not in (None, getattr(row, name))
    ]
    if row.changed_by != "rule":
        if (held.tier, held.revoked_by) != (row.tier, row.revoked_by):
            reasons.append(f"{row.changed_by} changed it last, and the log does not show that")
        return Mending(left=reasons)
    changes, wrong = _changes(held, row, book)
    return Mending([*_chain(row, changes, cause, book)], [*reasons, *wrong])


def _lost(held: Award, cause: Cause, book: RuleBook, grant: Decision | None) -> Iterator[Decision]:
    """The decisions that bring an award back whose row is gone."""
    first = msgspec.structs.replace(
        _as_granted(held, grant),
        earned_on=held.derived_on if held.earned_on is None else held.earned_on,
        revoked_by=None,
        changed_by="rule",
        changed_in=None,
    )
    yield Decision(
        "granted", cause, None, first, _version(held, book), grant.evidence if grant else None
    )
    changes: list[tuple[Kind, Award]] = []
    if held.tier != first.tier:
        changes.append(("promoted", held))
    if held.revoked_by is not None:
        changes.append(("revoked", held))
    yield from _chain(first, changes, cause, book)


def _as_granted(held: Award, grant: Decision | None) -> Award:
    """With the tier to grant it with, of the version that is held to have given the award.

    One that another version gave is promoted to. People may have put back the very tier of the
    grant by then: there is none to begin with then.
    """
    if held.tier_version in (None, held.definition_version):
        return held
    given = grant.after if grant and grant.after.tier != held.tier else None
    return msgspec.structs.replace(
        held,
        tier=given.tier if given else None,
        tier_earned_at=given.tier_earned_at if given else None,
        tier_earned_on=given.tier_earned_on if given else None,
        tier_version=given.tier_version if given else None,
    )


def _changes(held: Award, row: Award, book: RuleBook) -> tuple[list[tuple[Kind, Award]], list[str]]:
    """How the row becomes what is held, and why not."""
    changes: list[tuple[Kind, Award]] = []
    wrong: list[str] = []
    if held.revoked_by is None and row.revoked_by is not None:
        changes.append(("restored", held))
    if held.tier != row.tier:
        if _level(held, book) > _level(row, book):
            changes.append(("promoted", held))
        else:
            wrong.append(f"the log says the tier {held.tier}, which is not above {row.tier}")
    elif held.tier_earned_at != row.tier_earned_at or held.tier_earned_on not in (
        None,
        row.tier_earned_on,
    ):
        wrong.append(
            "the log says otherwise of the date of its tier: "
            f"{_said(held, 'tier_earned_at')}, not {_said(row, 'tier_earned_at')}"
        )
    if held.revoked_by is not None and held.revoked_by != row.revoked_by:
        changes.append(("revoked", held))
    return changes, wrong


def _chain(
    before: Award, changes: Sequence[tuple[Kind, Award]], cause: Cause, book: RuleBook
) -> Iterator[Decision]:
    """Decisions one after the other, each of which believes what the one before has left."""
    for kind, held in changes:
        if kind == "promoted":
            after = msgspec.structs.replace(
                before,
                tier=held.tier,
                tier_earned_at=held.tier_earned_at,
                tier_earned_on=held.tier_earned_on,
                tier_version=held.tier_version,
            )
            version = held.tier_version or _version(held, book)
        else:
            after = msgspec.structs.replace(before, revoked_by=held.revoked_by)
            version = _version(held, book)
        yield Decision(kind, cause, before, after, version)
        before = msgspec.structs.replace(after, changed_by="rule", changed_in=None)


def _version(award: Award, book: RuleBook) -> int:
    """The version that the award is of, later than all deletions of its definition."""
    return award.definition_version or book.deleted_before(award.badge_definition_id) + 1


def _level(award: Award, book: RuleBook) -> int:
    """The rank of a tier; no tier stands below those that are unknown."""
    if award.tier is None:
        return -1
    given_by = award.tier_version or award.definition_version
    return book.tier_level(award.badge_definition_id, award.tier, given_by)


def _said(award: Award, name: str) -> str:
    value = getattr(award, name)
    if value is None:
        return "nothing"
    return str(as_date(value) if name.endswith("_on") else value)
