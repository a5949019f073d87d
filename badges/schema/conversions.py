"""How a value of one type becomes one of another, as SQL that holds for every row.

A date is the one where the organization is, never that of whoever runs the statement: at 22:30 in
the evening in London it is tomorrow in Oslo.
"""

from typing import Final

_WHOLE = {"smallint", "integer", "bigint"}
_NUMBERS = {*_WHOLE, "numeric", "real", "double precision"}
_TEXTS = {"text", "character varying", "character", "citext"}
_INSTANT = "timestamp with time zone"
_WALL_CLOCK = "timestamp without time zone"
_SPANS = {"interval", "time without time zone"}

_UUID: Final = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
_OFFSET: Final = r":\d\d.*([Zz]|[+-]\d\d(:?\d\d)?)$"


def needs_zone(found: str, wanted: str) -> bool:
    """Whether the conversion asks in which time zone a day begins."""
    return (found, wanted) in {(_INSTANT, "date"), ("date", _INSTANT)}


def converted(value: str, found: str, wanted: str, zone: str) -> str:
    """SQL of the type `wanted` for `value` of the type `found`; `zone` is SQL too.

    The same number or text gives the same uuid in every table, so that rows find each other again.
    Texts without an offset, and timestamps without a time zone, are taken for UTC.
    """
    text = f"({value})::text"
    match wanted:
        case _ if wanted == found:
            sql = value
        case "uuid" if found in _WHOLE:
            sql = f"lpad(to_hex(({value})::bigint), 32, '0')::uuid"
        case "uuid":
            sql = f"CASE WHEN {text} ~ '{_UUID}' THEN {text}::uuid ELSE md5({text})::uuid END"
        case "date" if found == _INSTANT:
            sql = f"({value} AT TIME ZONE {zone})::date"
        case "timestamp with time zone" if found == "date":
            sql = f"({value}::timestamp AT TIME ZONE {zone})"
        case "timestamp with time zone" if found == _WALL_CLOCK:
            sql = f"({value} AT TIME ZONE 'UTC')"
        case "timestamp with time zone" if found in _TEXTS:
            sql = (
                f"CASE WHEN {text} ~ '{_OFFSET}' THEN {text}::timestamptz "
                f"ELSE {text}::timestamp AT TIME ZONE 'UTC' END"
            )
        case "integer" if found in _SPANS:
            sql = f"(extract(epoch FROM {value}) / 60)::integer"
        case "boolean" if found in _NUMBERS:
            sql = f"({value} <> 0)"
        case "jsonb" if found not in {"json", *_TEXTS}:
            sql = f"to_jsonb({value})"
        case _:
            sql = f"({value})::{wanted}"
    return sql
