"""What waits for a person: dead letters, refused writes, and alerts that nothing else explains."""

from collections.abc import Mapping, Sequence

from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, ok, warning
from badges.remedies import remedy_of
from badges.upkeep.dead_letters import Shelf
from sinks.alerts import BREAKS, OUTAGES, AlertKind
from sinks.dead_letters import KafkaDeadLetters

LOOKED_AT: Mapping[AlertKind, str] = {
    **dict.fromkeys(BREAKS, "log_whole"),
    **dict.fromkeys(OUTAGES, "connector"),
    "dead_letters": "dead_letters",
    "write_refused": "refused_writes",
    "versions_differ": "versions_recorded",
    "definition_invalid": "definitions_valid",
    "time_zone": "time_zones",
    "constraint_missing": "constraints",
    "duplicate_awards": "rows",
    "slot_left_over": "slots_left_over",
    "nobody_works": "workers",
    "evaluator_changed": "worker_version",
    "log_unreachable": "kafka",
}
"""The alerts of which a check looks at the thing itself: a worker may close one later."""

_ALERTS = """
SELECT kind, count(*) AS number FROM badge_alerts
WHERE resolved_at IS NULL AND kind <> ALL ($1::text[]) GROUP BY kind ORDER BY kind
"""
_REFUSED = """
SELECT sqlstate, count(*) AS number FROM badge_refused_writes GROUP BY sqlstate ORDER BY sqlstate
"""


async def _dead_letters(at: Deployment) -> Sequence[CheckResult]:
    access, topic = at.chosen.kafka_access(), at.dead_letters.name
    shelf = Shelf(access, at.cluster, topic, KafkaDeadLetters(topic, access.client_options()))
    letters = await shelf.letters()
    if not letters:
        return [ok(topic, "none is kept")]
    message = f"{len(letters)} records could not be used, and are kept"
    fix = "mend the rows that `badges dead-letters list` names, then: badges dead-letters retry"
    return [warning(topic, message, fix)]


async def _refused(at: Deployment) -> Sequence[CheckResult]:
    rows = await at.connection.fetch(_REFUSED)
    found = [
        warning(
            "badge_refused_writes",
            f"{row['number']} writes wait that Postgres refuses (SQLSTATE {row['sqlstate']})",
            "see the alerts of the kind write_refused: they name the trigger or constraint",
        )
        for row in rows
    ]
    return found or [ok("badge_refused_writes", "nothing waits")]


async def _alerts(at: Deployment) -> Sequence[CheckResult]:
    rows = await at.connection.fetch(_ALERTS, list(LOOKED_AT))
    found = [
        warning(
            row["kind"],
            f"{remedy_of(row['kind']).what('en')} (alerts that are open: {row['number']})",
            _todo(row["kind"]),
        )
        for row in rows
    ]
    return found or [ok("badge_alerts", "none is open beside what is told above")]


def _todo(kind: str) -> str:
    """The command that mends it or shows more, else where that is described."""
    remedy = remedy_of(kind)
    return remedy.command or f"docs/operating/{remedy.page}"


CHECKS = (
    Check("dead_letters", "waiting", _dead_letters, ("kafka",), ("topics",)),
    Check("refused_writes", "waiting", _refused, ("postgres",), ("migrations", "tables")),
    Check("alerts", "waiting", _alerts, ("postgres",), ("migrations", "tables")),
)
