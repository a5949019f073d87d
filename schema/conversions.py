"""How a value of one type becomes one of another, as SQL that holds for every row.

A date is the one where the organization is, never that of whoever runs the statement: at 22:30 in
the evening in London it is tomorrow in Oslo.
"""

from collections.abc import Mapping
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


_CAST = "({value})::{wanted}"
_ANYTHING_ELSE = ""

_IS_DAY = {
    _WALL_CLOCK: "({value})::time = '00:00'",
    **dict.fromkeys(_TEXTS, "({value})::text ~ '{day}'"),
}
"""By type, whether a clock's time without a zone is a day and nothing else."""

_INSTANTS = {
    # A default that is an instant, such as now(), is cast as it was for the column.
    _WALL_CLOCK: "(({value})::timestamp AT TIME ZONE 'UTC')",
    **dict.fromkeys(
        _TEXTS,
        "CASE WHEN ({value})::text ~ '{offset}' THEN ({value})::text::timestamptz "
        "WHEN ({value})::text ~ '{dated}' THEN ({value})::text::timestamp AT TIME ZONE 'UTC' "
        "ELSE (({value})::text || ' does not begin with its year')::timestamptz END",
    ),
}

_CONVERSIONS: Mapping[str, Mapping[str, str]] = {
    "uuid": {
        **dict.fromkeys(_WHOLE, "lpad(to_hex(({value})::bigint), 32, '0')::uuid"),
        _ANYTHING_ELSE: "CASE WHEN ({value})::text ~ '{uuid}' THEN ({value})::text::uuid "
        "ELSE md5(({value})::text)::uuid END",
    },
    "date": {
        _INSTANT: "({value} AT TIME ZONE {zone})::date",
        **{
            found: f"CASE WHEN {_IS_DAY[found]} THEN ({{value}})::date "
            f"ELSE ({instant} AT TIME ZONE {{zone}})::date END"
            for found, instant in _INSTANTS.items()
        },
    },
    _INSTANT: {"date": "({value}::timestamp AT TIME ZONE {zone})", **_INSTANTS},
    "integer": dict.fromkeys(_SPANS, "(extract(epoch FROM {value}) / 60)::integer"),
    "boolean": dict.fromkeys(_NUMBERS, "({value} <> 0)"),
    "jsonb": {**dict.fromkeys(["json", *_TEXTS], _CAST), _ANYTHING_ELSE: "to_jsonb({value})"},
}
"""By the type that is wanted and the one that is there; where none is listed a cast does it."""


def needs_zone(found: str, wanted: str) -> bool:
    """Whether the conversion asks in which time zone a day begins."""
    return "{zone}" in _conversion(found, wanted)


def assumed(value: str, found: str, wanted: str) -> str | None:
    """SQL that tells whether the value is a clock's without a zone, which is taken for UTC's.

    None where no value of the type is.
    """
    if wanted not in {"date", _INSTANT} or found not in _INSTANTS:
        return None
    told = "false" if found == _WALL_CLOCK else "({value})::text ~ '{offset}'"
    if wanted == "date":
        told += f" OR {_IS_DAY[found]}"
    return _filled(f"NOT ({told})", value=value)


def converted(value: str, found: str, wanted: str, zone: str) -> str:
    """SQL of the type `wanted` for `value` of the type `found`; `zone` is SQL too.

    The same number or text gives the same uuid in every table, so that rows find each other again.
    Texts without an offset, and timestamps without a time zone, are taken for UTC's; but for a date
    a midnight among them is its day. A text that does not begin with its year fails.
    """
    if wanted == found:
        return value
    return _filled(_conversion(found, wanted), value=value, wanted=wanted, zone=zone)


def _conversion(found: str, wanted: str) -> str:
    by_type = _CONVERSIONS.get(wanted, {})
    return by_type.get(found, by_type.get(_ANYTHING_ELSE, _CAST))


def _filled(sql: str, **values: str) -> str:
    return sql.format(uuid=_UUID, dated=_DATED, day=_DAY, offset=_OFFSET, **values)
