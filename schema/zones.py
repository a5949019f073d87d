"""In which time zone the days of a table's rows begin, where instants are turned into dates."""

from collections.abc import Mapping
from dataclasses import dataclass

from schema.catalog import Relation
from schema.conversions import converted
from sinks.pool import Connection

LOOKS_ELSEWHERE = "CREATE FUNCTION pg_temp.badges_zone"
"""In a statement that reads other tables, whose ids must not have changed before."""

_DEFAULT = "'Europe/Oslo'"

_ZONES = """
SELECT quote_literal(coalesce(timezone, 'Europe/Oslo')) AS zone, count(*) AS number
FROM public.organizations GROUP BY 1 ORDER BY 2 DESC, 1
"""


@dataclass(frozen=True)
class Zone:
    """SQL for a row's time zone, what has to be run before and after, and the most used zone."""

    sql: str
    usual: str
    before: str = ""
    after: str = ""


async def zone_of(
    connection: Connection, relation: Relation, found: Mapping[str, Relation]
) -> Zone:
    """The zone of the organization that a row of this table belongs to.

    It is one name where all organizations have the same; else a function of the session tells it,
    for a conversion cannot look into other tables itself.
    """
    organizations, mentors = found.get("organizations"), found.get("peer_mentors")
    if organizations is None or not {"id", "timezone"} <= set(organizations.columns):
        return Zone(_DEFAULT, _DEFAULT)
    zones = [row["zone"] for row in await connection.fetch(_ZONES)]
    usual = zones[0] if zones else _DEFAULT
    key = next((k for k in ("peer_mentor_id", "organization_id") if k in relation.columns), None)
    if len(zones) < 2 or key is None:
        return Zone(usual, usual)
    if key == "organization_id":
        asked = f"FROM public.organizations o WHERE {_same('o.id', organizations, relation, key)}"
    elif mentors is not None and {"id", "organization_id"} <= set(mentors.columns):
        of = mentors.columns["organization_id"].type
        joined = _equal("o.id", organizations.columns["id"].type, "m.organization_id", of)
        asked = (
            f"FROM public.organizations o JOIN public.peer_mentors m ON {joined} "
            f"WHERE {_same('m.id', mentors, relation, key)}"
        )
    else:
        return Zone(usual, usual)
    kind = relation.columns[key].type
    return Zone(
        f'pg_temp.badges_zone("{key}")',
        usual,
        before=f"{LOOKS_ELSEWHERE}(of_row {kind}) RETURNS text "
        f"LANGUAGE sql STABLE AS $$ SELECT coalesce((SELECT o.timezone {asked}), {_DEFAULT}) $$;\n",
        after=f"\nDROP FUNCTION pg_temp.badges_zone({kind});",
    )


def _same(column: str, table: Relation, relation: Relation, key: str) -> str:
    return _equal(column, table.columns["id"].type, "of_row", relation.columns[key].type)


def _equal(left: str, left_type: str, right: str, right_type: str) -> str:
    """Whether two ids are the same, also where one of them has been turned into a uuid already."""
    if left_type == right_type:
        return f"{left} = {right}"
    return (
        f"{converted(left, left_type, 'uuid', _DEFAULT)} = "
        f"{converted(right, right_type, 'uuid', _DEFAULT)}"
    )
