"""What a look at the database finds, in words: pure, one function for each kind of alert.

What is found lasts until somebody mends it; `surroundings` looks, and tells.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from sinks import duplicates
from sinks.duplicates import Duplicate
from tables.rules import RuleBook
from tables.types import DefinitionVersion
from tables.zones import SAMPLES, offsets

LONGEST = 500
"""Characters of what somebody else wrote that a message repeats."""
LONGEST_NAME = 200


class Trouble(Struct, frozen=True):
    """Something that a person has to mend: an alert's subject, message, and what else it says."""

    subject: str
    message: str
    detail: Mapping[str, object] = {}


_MISSED = {
    "inserted": "was inserted",
    "changed": "was changed",
    "deleted": "was deleted",
    "renumbered": "got another number than its newest version",
}


def missed_versions(rows: Iterable[Mapping[str, Any]]) -> list[Trouble]:
    """Definitions and organizations (kind, id, what) of which a version is missing."""
    return [
        Trouble(
            row["id"],
            f"{row['kind']} {row['id']} {_MISSED[row['what']]} while its triggers were off, so no "
            "worker knows; `badges migrate` writes the version that is missing",
            {"kind": row["kind"], "id": row["id"], "what": row["what"]},
        )
        for row in rows
    ]


def unread_slots(rows: Iterable[Mapping[str, Any]]) -> list[Trouble]:
    """Slots that nobody reads, with the bytes of WAL that each retains."""
    return [
        Trouble(
            row["slot"],
            f"nobody reads the replication slot {row['slot']}, so Postgres keeps all WAL for it, "
            "until the disk is full: `badges provision` removes what is left of an older "
            "generation of the log, `badges resnapshot` finishes one that was begun",
            {"retained_bytes": row["retained_bytes"]},
        )
        for row in rows
    ]


def still_unknown(opened: Iterable[str], known: Iterable[str], in_use: Iterable[str]) -> set[str]:
    """Of the ids that alerts are open about, those in use of which no version is known still."""
    return (set(opened) - set(known)) & set(in_use)


def invalid_definitions(
    book: RuleBook, newest: Mapping[str, DefinitionVersion]
) -> Iterator[Trouble]:
    """Active definitions that the rule book sets aside; `newest` has the version of each in it."""
    for definition_id, reason in sorted(book.set_aside.items()):
        definition = newest.get(definition_id)
        if definition is None or definition.status != "active":
            continue
        yield Trouble(
            definition_id,
            f"the badge {definition.key[:LONGEST_NAME]!r} is frozen, nobody gets or loses it: "
            f"{reason[:LONGEST]}",
            {
                "key": definition.key[:LONGEST_NAME],
                "reason": reason[:LONGEST],
                "version": definition.version,
                "organization_id": definition.organization_id,
            },
        )


def missing_constraint(is_there: bool) -> list[Trouble]:
    if is_there:
        return []
    message = (
        "badge_awards has no UNIQUE (peer_mentor_id, badge_definition_id): no award can be granted "
        "(SQLSTATE 42P10), and one may be held twice; run `badges migrate`, which removes "
        "duplicates and brings the constraint back"
    )
    return [Trouble("", message)]


def duplicate_awards(found: Sequence[Duplicate]) -> list[Trouble]:
    if not found:
        return []
    message = (
        "one mentor holds a badge twice; `badges dedupe` keeps the earliest award, and "
        "`badges migrate` also brings the constraint back that forbids it"
    )
    return [Trouble("", message, duplicates.detail(found))]


def time_zones(rows: Iterable[Mapping[str, Any]]) -> Iterator[Trouble]:
    """Zones in use that the tzdata package or Postgres lacks, or of which they differ.

    A row has the zone's name, the number of its organizations, and Postgres' offsets in seconds at
    the SAMPLES, None where Postgres does not know it.
    """
    for row in rows:
        name, in_postgres = row["name"], row["offsets"]
        here = offsets(name)
        shown = name[:LONGEST_NAME]
        used = {"zone": shown, "organizations": row["organizations"]}
        if here is None:
            message = f"the tzdata package lacks {shown!r}: dates there begin in UTC"
        elif in_postgres is None:
            message = f"Postgres does not know {shown!r}: what it says of today there fails"
        else:
            place = _first_difference(here, in_postgres)
            if place is None:
                continue
            at = SAMPLES[place]
            message = (
                f"{shown!r} is {here[place]} s from UTC at {at:%Y-%m-%d %H:%M} UTC by the tzdata "
                f"package, and {in_postgres[place]} s by Postgres; upgrade the older of the two"
            )
            used |= {"at": at.isoformat()}
        if here is None or in_postgres is None:
            message += "; give its organizations another zone, or upgrade what lacks it"
        yield Trouble(shown, message, used)


def _first_difference(here: Sequence[int], there: Sequence[int]) -> int | None:
    pairs = enumerate(zip(here, there, strict=True))
    return next((place for place, (one, other) in pairs if one != other), None)
