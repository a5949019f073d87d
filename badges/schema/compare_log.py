"""Replica identities and publications: what Debezium can read, and what others' would break."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from badges.schema import history
from badges.schema.differences import Consequence, Difference
from sinks.pool import Connection
from streams.log.fingerprint import identity_statement

IDENTIFIED = ("activities", "training_completions", "mentor_pauses", "badge_awards")
"""Tables whose rows the log knows by mentor and id."""

PUBLISHED = {
    "peer_mentors": "id, organization_id, active",
    "activities": "id, peer_mentor_id, activity_type, activity_date, duration_minutes",
    "training_completions": "id, peer_mentor_id, course_code, completed_on",
    "mentor_pauses": "id, peer_mentor_id, starts_on, ends_on",
    "badge_awards": "id, peer_mentor_id, badge_definition_id, earned_at, earned_on, "
    "definition_version, tier, tier_earned_at, tier_earned_on, awarded_by, revoked_by, changed_by",
    "badge_heartbeats": "id, at",
}
"""What the publication shows of each table; names and evidence stay at home."""

PUBLISHED_SINCE = {"20261128090000": {"badge_awards": {"earned_on", "tier_earned_on"}}}
"""What a later migration added, by its version, to the publication that an earlier one made."""

_IDENTITIES = """
SELECT c.relname::text AS name, c.relreplident::text AS kind,
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM pg_index i, unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place)
        JOIN pg_attribute a ON a.attnum = k.number
        WHERE i.indrelid = c.oid AND i.indisreplident AND a.attrelid = c.oid), '{}') AS columns,
       EXISTS (SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
               WHERE i.indrelid = c.oid AND x.relname = c.relname || '_mentor_identity_idx'
                   AND i.indisvalid AND i.indisunique) AS indexed
FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relname = ANY ($1) AND c.relkind = 'r'
ORDER BY c.relname
"""

_PUBLISHED = """
SELECT p.pubname::text AS publication, t.tablename::text AS name, t.attnames::text[] AS columns,
       t.rowfilter AS filter, p.pubupdate OR p.pubdelete AS identifies
FROM pg_publication p JOIN pg_publication_tables t USING (pubname)
WHERE t.schemaname = 'public'
ORDER BY p.pubname, t.tablename
"""

_OURS = """
SELECT pubinsert AND pubupdate AND pubdelete AS complete, puballtables AS everything
FROM pg_publication WHERE pubname = $1
"""

_ALL_THERE = """
SELECT bool_and(to_regclass('public.' || name) IS NOT NULL) FROM unnest($1::text[]) AS name
"""

_COLUMNS_THERE = """
SELECT bool_and(EXISTS (SELECT FROM pg_attribute WHERE attrelid = to_regclass('public.' || name)
                        AND attname = wanted.column AND NOT attisdropped))
FROM unnest($1::text[], $2::text[]) AS wanted (name, "column")
"""


@dataclass(frozen=True)
class _Published:
    publication: str
    name: str
    columns: tuple[str, ...]
    filter: str | None
    identifies: bool


async def compare(connection: Connection, prefix: str) -> list[Difference]:
    """How identities and publications differ; somebody else's that does not fit stops."""
    rows = await connection.fetch(_PUBLISHED)
    published = [
        _Published(
            row["publication"],
            row["name"],
            tuple(row["columns"] or ()),
            row["filter"],
            row["identifies"],
        )
        for row in rows
    ]
    ours = f"{prefix}_mentor_log"
    of_ours = await _publication(connection, ours, [p for p in published if p.publication == ours])
    return [
        *await _identities(connection),
        *(replace(each, spoils_log=True) for each in of_ours),
        *(d for p in published if p.publication != ours for d in _others(p)),
    ]


async def _identities(connection: Connection) -> list[Difference]:
    differences = []
    rows = await connection.fetch(_IDENTITIES, ["peer_mentors", *IDENTIFIED])
    for row in rows:
        name, kind, columns = row["name"], row["kind"], set(row["columns"])
        needed = {"id"} if name == "peer_mentors" else {"id", "peer_mentor_id"}
        if (kind == "i" and columns == needed) or (kind == "d" and needed == {"id"}):
            continue
        differences.append(
            Difference(
                f"public.{name} replica identity",
                f"is {_KINDS[kind]}" + (f" ({', '.join(sorted(columns))})" if columns else ""),
                f"a unique index on ({', '.join(sorted(needed, reverse=True))})"
                if needed != {"id"}
                else "the primary key",
                identity_statement(name, indexed=row["indexed"]),
                consequence="mend" if kind == "d" else "stop",
                spoils_log=True,
            )
        )
    return differences


_KINDS = {"d": "the primary key", "n": "nothing", "f": "the full row", "i": "an index"}


async def _publication(
    connection: Connection, name: str, published: Sequence[_Published]
) -> list[Difference]:
    row = await connection.fetchrow(_OURS, name)
    where = f"publication {name}"
    tables = ", ".join(
        f"public.{table}" + ("" if table == "badge_heartbeats" else f" ({columns})")
        for table, columns in PUBLISHED.items()
    )
    if row is None:
        create = f'CREATE PUBLICATION "{name}" FOR TABLE {tables} '
        create += "WITH (publish = 'insert, update, delete');"
        return [Difference(where, "is missing", "the mentors' tables by column list", create)]
    drop = f'DROP PUBLICATION "{name}";'
    if row["everything"]:
        return [Difference(where, "is for all tables", "column lists", drop, "stop")]
    differences = []
    found = {p.name: (set(p.columns), p.filter) for p in published}
    if found != _published_by(set(PUBLISHED_SINCE)):
        shown = "; ".join(f"{p.name} ({', '.join(p.columns)})" for p in published)
        found_as = f"has other tables, columns or row filters: {shown}"
        if not await connection.fetchval(_ALL_THERE, list(PUBLISHED)):
            return [Difference(where, found_as, tables, drop, "stop")]
        older = _published_by(await history.applied(connection))
        if not await _has_columns(connection, older):
            # Somebody took a column away: once it is back there is something to list.
            return []
        mend = f'ALTER PUBLICATION "{name}" SET TABLE {tables};'
        consequence: Consequence = "mend" if found == older else "stop"
        differences.append(Difference(where, found_as, tables, mend, consequence))
    if not row["complete"]:
        differences.append(
            Difference(
                where,
                "leaves out inserts, updates or deletes",
                "insert, update, delete",
                f"ALTER PUBLICATION \"{name}\" SET (publish = 'insert, update, delete');",
                consequence="stop",
            )
        )
    return differences


async def _has_columns(
    connection: Connection, published: Mapping[str, tuple[set[str], None]]
) -> bool:
    wanted = [(table, name) for table, (names, _) in published.items() for name in names]
    return bool(await connection.fetchval(_COLUMNS_THERE, *map(list, zip(*wanted, strict=True))))


def _published_by(applied: set[str]) -> dict[str, tuple[set[str], None]]:
    """What the publication of a database with these migrations shows: columns, no row filter."""
    missing = [tables for version, tables in PUBLISHED_SINCE.items() if version not in applied]
    lacks = {table: {c for each in missing for c in each.get(table, ())} for table in PUBLISHED}
    return {
        table: (set(columns.split(", ")) - lacks[table], None)
        for table, columns in PUBLISHED.items()
    }


def _others(published: _Published) -> list[Difference]:
    # With our replica identity, updates of the table would fail for everybody.
    if published.name not in IDENTIFIED or not published.identifies:
        return []
    missing = {"id", "peer_mentor_id"} - set(published.columns)
    if not missing and published.filter is None:
        return []
    columns = ", ".join(dict.fromkeys(("id", "peer_mentor_id", *published.columns)))
    table = f"public.{published.name}"
    return [
        Difference(
            f"publication {published.publication}",
            f"leaves {', '.join(sorted(missing))} of {table} out"
            if missing
            else f"filters rows of {table} by {published.filter}",
            "the columns of the replica identity (peer_mentor_id, id), and no row filter",
            f'ALTER PUBLICATION "{published.publication}" DROP TABLE {table}; '
            f'ALTER PUBLICATION "{published.publication}" ADD TABLE {table} ({columns});',
            consequence="stop",
        )
    ]
