"""In which time zone the days of a table's rows begin, where instants are turned into dates."""

from dataclasses import dataclass

from schema.catalog import Tables
from schema.conversions import converted
from schema.wanted import Column

LOOKS_ELSEWHERE = "CREATE FUNCTION pg_temp.badges_zone"
"""In a statement that reads other tables, whose ids must not have changed before."""

_DEFAULT = "'Europe/Oslo'"

_ZONES = """
SELECT quote_literal(coalesce(timezone::text, 'Europe/Oslo')) AS zone, count(*) AS number
FROM public.organizations GROUP BY 1 ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True)
class Zone:
    """SQL for a row's time zone, what has to be run before and after, and the most used zone."""

    sql: str
    usual: str
    before: str = ""
    after: str = ""


async def zone_of(tables: Tables, table: str) -> Zone:
    """The zone of the organization that a row of this table belongs to.

    It is one name where all organizations have the same; else a function of the session tells it,
    for a conversion cannot look into other tables itself.
    """
    organizations, mentors = tables.columns["organizations"], tables.columns["peer_mentors"]
    if not {"id", "timezone"} <= set(organizations):
        return Zone(_DEFAULT, _DEFAULT)
    zones = [row["zone"] for row in await tables.connection.fetch(_ZONES)]
    usual = zones[0] if zones else _DEFAULT
    own = tables.columns[table]
    key = next((name for name in ("peer_mentor_id", "organization_id") if name in own), None)
    if len(zones) < 2 or key is None:
        return Zone(usual, usual)
    row, asked = own[key], "FROM public.organizations o"
    if key == "organization_id":
        asked += f" WHERE {_equal('o.id', organizations['id'], 'of_row', row)}"
    elif {"id", "organization_id"} <= set(mentors):
        of = mentors["organization_id"]
        joined = _equal("o.id", organizations["id"], "m.organization_id", of)
        asked += f" JOIN public.peer_mentors m ON {joined}"
        asked += f" WHERE {_equal('m.id', mentors['id'], 'of_row', row)}"
    else:
        return Zone(usual, usual)
    return Zone(
        f'pg_temp.badges_zone("{key}")',
        usual,
        before=f"{LOOKS_ELSEWHERE}(of_row {row.type}) RETURNS text "
        f"LANGUAGE sql STABLE AS $$ SELECT coalesce((SELECT o.timezone {asked}), {_DEFAULT}) $$;\n",
        after=f"\nDROP FUNCTION pg_temp.badges_zone({row.type});",
    )


def _equal(left: str, of_left: Column, right: str, of_right: Column) -> str:
    """Whether two ids are the same, also where one of them has been turned into a uuid already."""
    if of_left.type == of_right.type:
        return f"{left} = {right}"
    return (
        f"{converted(left, of_left.type, 'uuid', _DEFAULT)} = "
        f"{converted(right, of_right.type, 'uuid', _DEFAULT)}"
    )
