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

# With its year first a date is the same whatever DateStyle says.
_DATED: Final = r"^\s*\d{4}(\d{4}|[-/.]\d{1,2}[-/.]\d{1,2})"
_DAY: Final = rf"{_DATED}([Tt ]00:00(:00([.]0+)?)?)?\s*$"
_OFFSET: Final = rf"{_DATED}[Tt ]\s*\d.*([Zz]|[+-]\d{{1,2}}(:?\d\d)?|\s[A-Za-z_/]{{3,}})\s*$"


def needs_zone(found: str, wanted: str) -> bool:
    """Whether the conversion asks in which time zone a day begins."""
    if wanted == _INSTANT:
        return found == "date"
    return wanted == "date" and found in {_INSTANT, _WALL_CLOCK, *_TEXTS}


def assumed(value: str, found: str, wanted: str) -> str | None:
    """SQL that tells whether the value is a clock's without a zone, which is taken for UTC's.

    None where no value of the type is.
    """
    if wanted not in {"date", _INSTANT} or found not in {_WALL_CLOCK, *_TEXTS}:
        return None
    told = "false" if found == _WALL_CLOCK else f"({value})::text ~ '{_OFFSET}'"
    if wanted == "date":
        told = f"{told} OR {_is_day(value, found)}"
    return f"NOT ({told})"


def converted(value: str, found: str, wanted: str, zone: str) -> str:
    """SQL of the type `wanted` for `value` of the type `found`; `zone` is SQL too.

    The same number or text gives the same uuid in every table, so that rows find each other again.
    Texts without an offset, and timestamps without a time zone, are taken for UTC's; but for a date
    a midnight among them is its day. A text that does not begin with its year fails.
    """
    text = f"({value})::text"
    match wanted:
        case _ if wanted == found:
            sql = value
        case "uuid" if found in _WHOLE:
            sql = f"lpad(to_hex(({value})::bigint), 32, '0')::uuid"
        case "uuid":
            sql = f"CASE WHEN {text} ~ '{_UUID}' THEN {text}::uuid ELSE md5({text})::uuid END"
        case "date" if needs_zone(found, wanted):
            instant = converted(value, found, _INSTANT, zone)
            sql = f"({instant} AT TIME ZONE {zone})::date"
            if found != _INSTANT:
                sql = f"CASE WHEN {_is_day(value, found)} THEN ({value})::date ELSE {sql} END"
        case "timestamp with time zone" if found == "date":
            sql = f"({value}::timestamp AT TIME ZONE {zone})"
        case "timestamp with time zone" if found == _WALL_CLOCK:
            # A default that is an instant, such as now(), is cast as it was for the column.
            sql = f"(({value})::timestamp AT TIME ZONE 'UTC')"
        case "timestamp with time zone" if found in _TEXTS:
            sql = (
                f"CASE WHEN {text} ~ '{_OFFSET}' THEN {text}::timestamptz "
                f"WHEN {text} ~ '{_DATED}' THEN {text}::timestamp AT TIME ZONE 'UTC' "
                f"ELSE ({text} || ' does not begin with its year')::timestamptz END"
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


def _is_day(value: str, found: str) -> str:
    """Whether a clock's time without a zone is a day and nothing else."""
    if found == _WALL_CLOCK:
        return f"({value})::time = '00:00'"
    return f"({value})::text ~ '{_DAY}'"
