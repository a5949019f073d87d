"""A fingerprint of the source: what a log is read from, so that whatever changes there shows.

It is stored with a generation when that is filled, and compared at every look. Stored and present
one are read by one statement, in one snapshot: a difference is there, however short the look.
"""

from collections.abc import Iterator, Mapping
from typing import Literal, TypeAlias

import msgspec
from msgspec import Struct

from sinks.pool import Executor

SOURCES = ("peer_mentors", "activities", "training_completions", "mentor_pauses", "badge_awards")
"""The tables whose rows the log carries."""

_PRESENT = """
(SELECT jsonb_build_object(
    'publication', (
        SELECT jsonb_build_object(
            'oid', p.oid::bigint, 'name', p.pubname,
            'publishes', to_jsonb(array_remove(ARRAY[
                CASE WHEN p.pubinsert THEN 'insert' END, CASE WHEN p.pubupdate THEN 'update' END,
                CASE WHEN p.pubdelete THEN 'delete' END], NULL)))
        FROM pg_publication p WHERE p.pubname = {publication}),
    'tables', (
        SELECT jsonb_object_agg(source.name, jsonb_build_object(
            'oid', c.oid::bigint,
            'row', r.oid::bigint,
            'columns', coalesce((
                SELECT jsonb_object_agg(a.attname, a.attnum) FROM pg_attribute a
                WHERE a.attrelid = r.prrelid AND a.attnum > 0 AND NOT a.attisdropped
                    AND (r.prattrs IS NULL OR a.attnum = ANY (r.prattrs::int2[]))), '{{}}'),
            'others', coalesce((
                SELECT jsonb_object_agg(a.attname, a.attnum) FROM pg_attribute a
                WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
                    AND (r.oid IS NULL OR a.attnum <> ALL (r.prattrs::int2[]))), '{{}}'),
            'filter', pg_get_expr(r.prqual, r.prrelid),
            'identity', CASE WHEN c.relreplident = 'f' THEN '"full"' ELSE coalesce((
                SELECT to_jsonb((i.indkey::int2[])[0:i.indnkeyatts - 1]) FROM pg_index i
                WHERE i.indrelid = c.oid AND i.indisvalid AND i.indimmediate
                    AND CASE c.relreplident WHEN 'i' THEN i.indisreplident
                                            WHEN 'd' THEN i.indisprimary END), '[]') END,
            'indexed', EXISTS (
                SELECT FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid
                WHERE i.indrelid = c.oid AND x.relname = c.relname || '_mentor_identity_idx'
                    AND i.indisvalid AND i.indisunique),
            'triggers', coalesce((
                SELECT jsonb_object_agg(t.tgname, t.tgenabled) FROM pg_trigger t
                WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgname ~ '^(zz_)?badges_'),
                '{{}}')))
        FROM unnest(ARRAY[{sources}]) AS source (name)
        LEFT JOIN pg_class c ON c.relname = source.name AND c.relkind = 'r'
            AND c.relnamespace = 'public'::regnamespace
        LEFT JOIN pg_publication p ON p.pubname = {publication}
        LEFT JOIN pg_publication_rel r ON r.prrelid = c.oid AND r.prpubid = p.oid)))
"""


def present(publication: str) -> str:
    """SQL for the fingerprint as it is now; `publication` is SQL too, a parameter for instance."""
    sources = ", ".join(f"'{name}'" for name in SOURCES)
    return _PRESENT.format(publication=publication, sources=sources)


_Identity: TypeAlias = Literal["full"] | tuple[int, ...]
"""The columns by number that tell a row when it is changed or deleted; () are none."""


class Publication(Struct, frozen=True):
    """A row of pg_publication: what it publishes of insert, update and delete."""

    oid: int
    name: str
    publishes: tuple[str, ...]


class SourceTable(Struct, frozen=True):
    """A table of the source. `oid` is None where there is none of that name.

    `row` is the oid of the publication's own row for the table, `columns` the published columns and
    their numbers, `others` those that are not published, `triggers` ours and when they fire
    (pg_trigger.tgenabled). `others` and `indexed`, whether the index is there that should be the
    identity, are for advice and not compared.
    """

    oid: int | None
    row: int | None
    columns: Mapping[str, int]
    others: Mapping[str, int]
    filter: str | None
    identity: _Identity
    indexed: bool
    triggers: Mapping[str, str]


class Fingerprint(Struct, frozen=True):
    """All that a log's completeness rests on in the database."""

    publication: Publication | None
    tables: Mapping[str, SourceTable]


_decode = msgspec.json.Decoder(Fingerprint).decode


class _SourceChange(Struct, frozen=True):
    """A difference, in words that can follow a colon. A `lasting` one may have lost rows."""

    kind: Literal["source_changed", "column_renamed", "replica_identity"]
    text: str
    lasting: bool = True
    statement: str = ""


async def compare(
    connection: Executor, log_id: str, publication: str
) -> tuple[Fingerprint | None, Fingerprint]:
    """What a generation was filled from, None where that is not known, and what is there now."""
    row = await connection.fetchrow(
        f"""
        SELECT (SELECT fingerprint::text FROM badge_logs WHERE log_id = $1) AS stored,
               {present("$2::text")}::text AS present
        """,
        log_id,
        publication,
    )
    assert row is not None
    return row["stored"] and _decode(row["stored"]), _decode(row["present"])


async def stamp(connection: Executor, log_id: str, publication: str) -> None:
    """Store the present fingerprint with a generation: from now on this is what it is read from."""
    await connection.execute(
        f"UPDATE badge_logs SET fingerprint = {present('$2::text')} WHERE log_id = $1",
        log_id,
        publication,
    )


async def stamp_unknown(connection: Executor, log_id: str, publication: str) -> bool:
    """Store the present fingerprint with a generation that has none; whether that was so."""
    return bool(
        await connection.fetchval(
            f"""
            UPDATE badge_logs SET fingerprint = {present("$2::text")}
            WHERE log_id = $1 AND state = 'live' AND fingerprint IS NULL RETURNING true
            """,
            log_id,
            publication,
        )
    )


def renamed(stored: SourceTable, now: SourceTable) -> dict[str, str]:
    """The columns of the same table that have another name, and nothing theirs: old to new name."""
    if stored.oid is None or stored.oid != now.oid:
        return {}
    present = {**now.columns, **now.others}
    return {old: new for old, new in _other_names(stored, now).items() if old not in present}


def identity_statement(table: str, *, indexed: bool) -> str:
    """The SQL that gives a source table its identity; `indexed` when the index is there."""
    if table == "peer_mentors":
        return "ALTER TABLE public.peer_mentors REPLICA IDENTITY DEFAULT;"
    index = f"{table}_mentor_identity_idx"
    create = f"CREATE UNIQUE INDEX {index} ON public.{table} (peer_mentor_id, id); "
    alter = f"ALTER TABLE public.{table} REPLICA IDENTITY USING INDEX {index};"
    return alter if indexed else create + alter


def rename_statement(table: str, now: str, name: str) -> str:
    return f'ALTER TABLE public.{table} RENAME COLUMN "{now}" TO "{name}";'


def changes(stored: Fingerprint, now: Fingerprint) -> Iterator[_SourceChange]:
    if stored.publication != now.publication:
        yield _SourceChange(
            "source_changed", _publication_change(stored.publication, now.publication)
        )
        if stored.publication is None or now.publication is None:
            return
        if stored.publication.oid != now.publication.oid:
            return
    for name in SOURCES:
        yield from _table_changes(name, stored, now)


def _publication_change(stored: Publication | None, now: Publication | None) -> str:
    if stored is None:
        return "there was no publication when the log was filled"
    if now is None:
        return f"the publication {stored.name} is gone"
    if stored.oid != now.oid:
        return f"the publication {now.name} was dropped and made again"
    listed = ", ".join(now.publishes) or "nothing"
    return f"the publication {now.name} publishes {listed} instead of {', '.join(stored.publishes)}"


def _table_changes(name: str, stored: Fingerprint, now: Fingerprint) -> Iterator[_SourceChange]:
    before, after = stored.tables[name], now.tables[name]
    gone = _replaced(name, before, after)
    if gone:
        yield _SourceChange("source_changed", gone)
        return
    yield from _column_changes(name, before, after)
    if before.filter != after.filter:
        yield _SourceChange("source_changed", f"the publication filters rows of public.{name}")
    yield from _identity_changes(name, before, after)
    yield from _trigger_changes(name, before, after)


def _replaced(name: str, before: SourceTable, after: SourceTable) -> str:
    table = f"public.{name}"
    if before.oid == after.oid and before.row == after.row:
        return ""
    if after.oid is None:
        return f"there is no table {table} any more"
    if before.oid != after.oid:
        return f"{table} is another table than the one that the log was filled from"
    if after.row is None:
        return f"{table} is not in the publication any more"
    return f"{table} was taken out of the publication and added again"


def _column_changes(name: str, before: SourceTable, after: SourceTable) -> Iterator[_SourceChange]:
    for column, number in before.columns.items():
        if number not in after.columns.values():
            yield _SourceChange(
                "source_changed", f"column {column} of public.{name} is not published"
            )
    mendable = renamed(before, after)
    for column, other in _other_names(before, after).items():
        text = f"column {column} of public.{name} is called {other} now"
        if column in mendable:
            yield _SourceChange(
                "column_renamed",
                f"{text}, so rows would arrive without it",
                lasting=False,
                statement=rename_statement(name, other, column),
            )
        else:
            yield _SourceChange("source_changed", f"{text}, and another column has its name")


def _other_names(stored: SourceTable, now: SourceTable) -> dict[str, str]:
    names = {number: name for name, number in [*now.columns.items(), *now.others.items()]}
    return {
        name: names[number]
        for name, number in stored.columns.items()
        if names.get(number, name) != name
    }


def _identity_changes(
    name: str, before: SourceTable, after: SourceTable
) -> Iterator[_SourceChange]:
    if _same_identity(before.identity, after.identity):
        return
    # Columns that are not published make every update and delete fail; so does no identity.
    refused = (
        after.identity == "full"
        or not after.identity
        or not {*after.identity} <= {*after.columns.values()}
    )
    consequence = (
        "the application may be unable to change and delete rows"
        if refused
        else "deletes and moves went into the log without their mentor"
    )
    yield _SourceChange(
        "replica_identity",
        f"the replica identity of public.{name} is {_named(after)}, so {consequence}",
        lasting=not refused,
        statement=identity_statement(name, indexed=after.indexed),
    )


def _same_identity(one: _Identity, other: _Identity) -> bool:
    if one == "full" or other == "full":
        return one == other
    return {*one} == {*other}


def _named(table: SourceTable) -> str:
    if table.identity == "full":
        return "the full row"
    names = {number: name for name, number in [*table.columns.items(), *table.others.items()]}
    columns = ", ".join(names.get(number, str(number)) for number in table.identity)
    return f"({columns})" if columns else "nothing"


_FIRES = {"O": "fires", "D": "is disabled", "R": "fires on replicas alone", "A": "always fires"}


def _trigger_changes(name: str, before: SourceTable, after: SourceTable) -> Iterator[_SourceChange]:
    for trigger, enabled in before.triggers.items():
        now = after.triggers.get(trigger)
        if now is None:
            yield _SourceChange("source_changed", f"the trigger {trigger} of public.{name} is gone")
        elif now != enabled:
            yield _SourceChange(
                "source_changed",
                f"the trigger {trigger} of public.{name} {_FIRES[now]}, but it {_FIRES[enabled]} "
                "where the log is whole",
            )
