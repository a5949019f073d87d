"""A source as its fingerprint tells it, for tests: whole, or changed in one thing."""

from typing import Any

from msgspec.structs import replace

from streams.log.fingerprint import SOURCES, Fingerprint, Publication, SourceTable

_COLUMNS = {
    "peer_mentors": "id organization_id active",
    "activities": "id peer_mentor_id activity_type activity_date duration_minutes",
    "training_completions": "id peer_mentor_id course_code completed_on",
    "mentor_pauses": "id peer_mentor_id starts_on ends_on",
    "badge_awards": "id peer_mentor_id badge_definition_id tier changed_by",
}


def source() -> Fingerprint:
    """The source that a log is filled from; every table has one column that is not published."""
    publication = Publication(900, "badges_mentor_log", ("insert", "update", "delete"))
    return Fingerprint(publication, {name: _table(name) for name in SOURCES})


def changed(table: str, **fields: Any) -> Fingerprint:
    """The source, with a table that differs in some fields."""
    whole = source()
    tables = {**whole.tables, table: replace(whole.tables[table], **fields)}
    return replace(whole, tables=tables)


def columns(table: str, **names: str) -> dict[str, int]:
    """The table's published columns, some of them under another name: old=new."""
    published = source().tables[table].columns
    return {names.get(name, name): number for name, number in published.items()}


def _table(name: str) -> SourceTable:
    columns = {column: place for place, column in enumerate(_COLUMNS[name].split(), 1)}
    return SourceTable(
        oid=100 + SOURCES.index(name),
        row=200 + SOURCES.index(name),
        columns=columns,
        others={"noted_at": len(columns) + 1},
        filter=None,
        identity=(1,) if name == "peer_mentors" else (2, 1),
        indexed=name != "peer_mentors",
        triggers={"badges_delete_before_truncate": "A"},
    )
