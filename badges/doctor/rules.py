"""The rules: definitions that cannot be decided, time zones, and what is not in effect yet."""

import asyncio
from collections.abc import Sequence

from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, failed, ok, warning
from sinks import troubles
from sinks.queries import QUERIES
from streams.lag.backfill import backfill
from streams.rule_versions import read
from tables.rules import RuleBook
from tables.types import DefinitionVersion, Version
from tables.zones import SAMPLES

_RAW = """
SELECT id::text AS id, key FROM badge_definitions
WHERE criteria ->> 'type' = 'raw' AND status IS DISTINCT FROM 'retired' ORDER BY key
"""


async def _valid(at: Deployment) -> Sequence[CheckResult]:
    versions = await read(at.connection)
    # Every organization's rules are compiled for it.
    found = await asyncio.to_thread(_invalid, versions)
    return found or [ok("definitions", "every active one can be decided, and none closes a cycle")]


def _invalid(versions: Sequence[Version]) -> list[CheckResult]:
    book = RuleBook()
    book.apply(versions)
    newest = {each.id: each for each in versions if isinstance(each, DefinitionVersion)}
    return [
        failed(
            each.subject,
            f"badge definition {each.subject} is frozen, nobody gets or loses it",
            f"mend its criteria; or: UPDATE public.badge_definitions SET status = 'draft' "
            f"WHERE id = '{each.subject}';",
            words=str(each.detail["reason"]),
        )
        for each in troubles.invalid_definitions(book, newest)
    ]


async def _raw(at: Deployment) -> Sequence[CheckResult]:
    found = [
        warning(
            row["id"],
            f"badge definition {row['id']} has raw criteria: it is given by hand alone",
            "write it in a type of criteria, once there is one",
            words=row["key"],
        )
        for row in await at.connection.fetch(_RAW)
    ]
    return found or [ok("definitions", "none has raw criteria")]


async def _zones(at: Deployment) -> Sequence[CheckResult]:
    rows = await at.connection.fetch(QUERIES["time_zones"], SAMPLES[0].date(), len(SAMPLES))
    found = [
        failed(each.subject, each.message, "upgrade tzdata or Postgres")
        for each in troubles.time_zones(dict(row) for row in rows)
    ]
    return found or [ok("time zones", "those in use are the same here and in Postgres")]


async def _in_effect(at: Deployment) -> Sequence[CheckResult]:
    waits = await backfill(at.connection, (await at.log()).log_id)
    if waits is None:
        return [ok("rules", "the newest versions are in effect in every partition")]
    return [
        warning(
            "rules",
            f"newer versions of {waits.definitions} rules are in effect in "
            f"{waits.partitions_done} of {waits.partitions} partitions",
            "wait: `badges lag` says how far it is",
        )
    ]


CHECKS = (
    Check("definitions_valid", "rules", _valid, ("postgres",), ("migrations", "versions_recorded")),
    Check("definitions_raw", "rules", _raw, ("postgres",), ("migrations", "tables")),
    Check("time_zones", "rules", _zones, ("postgres",), ("migrations", "tables")),
    Check("rules_in_effect", "rules", _in_effect, ("postgres",), ("generation", "workers")),
)
