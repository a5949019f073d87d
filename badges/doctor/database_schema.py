"""The schema: what `badges migrate --check` finds, by what it is about."""

from collections.abc import Mapping, Sequence
from functools import partial

from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, Status, failed, ok
from schema import history, migrations
from schema.check import NEWER
from schema.differences import Consequence, Deviation
from schema.filled_from import GAP
from streams.errors import Failure
from streams.log.visibility import refuse_hidden

FOUND_BY: Mapping[str, tuple[str, ...]] = {
    "tables": (
        "schema", "presence", "other_kinds", "not_ours", "columns", "renamed", "unfilled", "table",
        "view",
    ),
    "constraints": ("keys", "without_cascade", "unique_slug", "constraint"),
    "indexes": ("index", "activities_index"),
    "triggers": ("trigger",),
    "functions": ("function",),
    "publication": ("publication", "other_publications"),
    "replica_identity": ("identities",),
    "roles": ("roles",),
    "rights": ("rights",),
    "exposure": ("open", "concealed"),
    "row_security": ("without_row_security", "policy", "restrictive", "hidden"),
    "rows": ("same_keys", "statuses", "zones", "half_awards", "held_twice"),
    "versions_recorded": ("missed_versions",),
}  # fmt: skip
"""The checks of the schema that each of doctor's is made of."""

ELSEWHERE = (GAP, NEWER)
"""What the schema's checks find that `log_whole` and `migrations` tell with more reason."""

_FINE: Mapping[str, str] = {
    "tables": "tables, views and columns are as they must be",
    "constraints": "keys and constraints are there",
    "indexes": "all are there and valid",
    "triggers": "all are there and fire",
    "functions": "all are this version's",
    "publication": "publishes the tables and columns that the log needs",
    "replica_identity": "each table's rows are known by mentor and id",
    "roles": "all three are there",
    "rights": "the roles have what they need",
    "exposure": "nothing of ours is open that is not meant to be",
    "row_security": "is on, and hides no row from our roles",
    "rows": "none that no constraint of ours would take",
    "versions_recorded": "every definition and time zone has its newest version",
}
_ON_THINGS: Mapping[str, tuple[str, ...]] = {"rights": ("roles", "tables", "functions")}
"""Nobody has a right to what is missing."""

_REMOVED = "held_twice"
"""The check of what `migrate` mends by removing awards: that is not for `--fix` to do."""

_STATUS: Mapping[Consequence, Status] = {"mend": "failed", "stop": "failed", "report": "warning"}
_MIGRATE = "badges migrate"


async def _migrations(at: Deployment) -> Sequence[CheckResult]:
    newer = await history.newer(at.connection)
    if newer:
        message = f"the database is newer than this version, which does not have {newer[-1]}"
        return [failed("migrations", message, "run the newer version's `badges doctor`")]
    pending, every = await history.pending(at.connection), len(migrations.load())
    if not pending:
        return [ok("migrations", f"all {every} are applied")]
    names = ", ".join(each.title for each in pending[:3])
    more = f" and {len(pending) - 3} more" if len(pending) > 3 else ""
    message = f"{len(pending)} of {every} are not applied: {names}{more}"
    return [failed("migrations", message, _MIGRATE, safe="migrate")]


async def _of(id: str, at: Deployment) -> Sequence[CheckResult]:
    kinds = FOUND_BY[id]
    found = [_result(each) for each in await at.differences() if each.check in kinds]
    return found or [ok(id.replace("_", " "), _FINE[id])]


def _result(found: Deviation) -> CheckResult:
    # A role is a superuser's to change: `migrate` only makes one that is missing.
    mends = found.consequence == "mend" and not found.statement.startswith("ALTER ROLE")
    return CheckResult(
        _STATUS[found.consequence],
        found.where,
        f"{found.where} {found.found} (needed: {found.needed})",
        _MIGRATE if mends else found.statement or f"{_MIGRATE} --check",
        safe="migrate" if mends and found.check != _REMOVED else None,
    )


async def _rows_visible(at: Deployment) -> Sequence[CheckResult]:
    try:
        await refuse_hidden(at.connection, at.site.publication)
    except Failure as problem:
        return [failed("badges_connect", problem.message, problem.hint)]
    return [ok("badges_connect", "sees every row of the published tables")]


CHECKS = (
    Check("migrations", "schema", _migrations, ("postgres",)),
    *(
        Check(
            id,
            "schema",
            partial(_of, id),
            ("postgres",),
            ("migrations", *_ON_THINGS.get(id, ())),
            patience=3,
        )
        for id in FOUND_BY
    ),
    Check("rows_visible", "schema", _rows_visible, ("postgres",), ("migrations", "row_security")),
)
