"""What an organization knows: the names that its rows have, and the badges that apply to it."""

from collections.abc import Iterable, Mapping
from typing import Final

from msgspec import Struct

from badges.queries.tenancy import applies, is_own
from sinks.pool import Connection
from tables.criteria.base import Criterion
from tables.criteria.fields import NameKind
from tables.criteria.parsing import parse_saved

# What the stream has counted has every type that there ever was, a row a mentor.
_COUNTED_TYPES: Final = f"""
    SELECT DISTINCT jsonb_object_keys(stats.counts_by_type) AS name
    FROM peer_mentor_stats AS stats JOIN peer_mentors AS mentor ON mentor.id = stats.peer_mentor_id
    WHERE {is_own("mentor")}
    LIMIT $1
"""
# Of so many mentors the newest rows: enough to meet each name, and no more however many there are.
_SOME_MENTORS: Final = f"""
    SELECT id FROM peer_mentors WHERE {is_own("peer_mentors")} LIMIT 5000
"""
_NEWEST_TYPES: Final = f"""
    SELECT DISTINCT left(newest.activity_type, 200) AS name
    FROM ({_SOME_MENTORS}) AS mentor CROSS JOIN LATERAL (
        SELECT activity_type FROM activities WHERE peer_mentor_id = mentor.id
        ORDER BY activity_date DESC LIMIT 25
    ) AS newest
    LIMIT $1
"""
_COURSES: Final = f"""
    SELECT DISTINCT left(completed.course_code, 200) AS name
    FROM ({_SOME_MENTORS}) AS mentor CROSS JOIN LATERAL (
        SELECT course_code FROM training_completions WHERE peer_mentor_id = mentor.id LIMIT 100
    ) AS completed
    LIMIT $1
"""
# A key names the organization's own definition before everyone's: the later row wins.
_BADGES: Final = f"""
    SELECT key, CASE WHEN status <> 'retired' THEN criteria::text END AS criteria
    FROM badge_definitions d
    WHERE {applies("d")}
    ORDER BY organization_id IS NOT NULL
"""
_NAMES: Final[Mapping[NameKind, tuple[str, ...]]] = {
    "activity_type": (_COUNTED_TYPES, _NEWEST_TYPES),
    "course": (_COURSES,),
}
_MOST_NAMES: Final = 1000
"""Of one kind; nobody looks for a slip among more."""


class Vocabulary(Struct, frozen=True):
    """The names of each kind, as far as they were asked for.

    `badges` are the criteria of those that apply, by key; None where they are decided no more.
    """

    names: Mapping[NameKind, frozenset[str]]
    badges: Mapping[str, str | None] = {}

    def needs(self, key: str) -> tuple[str, ...]:
        """The keys that a badge asks for. Criteria that are not valid ask for nothing."""
        criteria = parse_saved(self.badges.get(key) or "")
        return () if criteria is None else tuple(criteria.badge_keys())


async def read_vocabulary(connection: Connection, criteria: Criterion) -> Vocabulary:
    """What the organization that the connection acts for knows of what some criteria mention."""
    mentioned: dict[NameKind, set[str]] = {}
    for mention in criteria.mentions():
        mentioned.setdefault(mention.kind, set()).add(mention.name)
    names: dict[NameKind, frozenset[str]] = {}
    for kind, queries in _NAMES.items():
        names[kind] = await _known(connection, queries, mentioned.get(kind, set()))
    if "badge" not in mentioned:
        return Vocabulary(names)
    badges = {row["key"]: row["criteria"] for row in await connection.fetch(_BADGES)}
    return Vocabulary({**names, "badge": frozenset(badges)}, badges)


async def seen_names(connection: Connection) -> dict[NameKind, list[str]]:
    """All names of each kind, sorted; at most so many of a kind as somebody may choose from."""
    found: dict[NameKind, list[str]] = {}
    for kind, queries in _NAMES.items():
        names: set[str] = set()
        for query in queries:
            names |= {row["name"] for row in await connection.fetch(query, _MOST_NAMES)}
        found[kind] = sorted(names)[:_MOST_NAMES]
    keys = {row["key"] for row in await connection.fetch(_BADGES)}
    return {**found, "badge": sorted(keys)[:_MOST_NAMES]}


async def _known(
    connection: Connection, queries: Iterable[str], mentioned: set[str]
) -> frozenset[str]:
    """The names that queries find, of which the next is asked only where one is not found yet."""
    known: set[str] = set()
    for query in queries:
        if mentioned - known:
            rows = await connection.fetch(query, _MOST_NAMES)
            known |= {row["name"] for row in rows}
            if len(rows) == _MOST_NAMES:  # not all have been read: any may be among the others
                known |= mentioned
    return frozenset(known)
