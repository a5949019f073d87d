"""Which columns of our tables can tell of a person: every one of them is here, and why."""

from collections.abc import Mapping

from msgspec import Struct

SOURCES: Mapping[str, str] = {
    "peer_mentors": "id",
    "activities": "peer_mentor_id",
    "training_completions": "peer_mentor_id",
    "mentor_pauses": "peer_mentor_id",
}
"""The application's tables about mentors, with the column that has the mentor's id."""


class OwnTable(Struct, frozen=True):
    """A table of ours.

    `mentor` is the column with a mentor's id: such a row is that mentor's, whole. `words` are text
    and JSON that may name anybody, `found` a list of {award} of anybody. `actors` are who did
    something, perhaps to somebody else. `own` are what else there is in a mentor's row, `nobody`
    what tells of no mentor. `key` tells one row from another.
    """

    key: str = "id"
    mentor: str | None = None
    words: tuple[str, ...] = ()
    found: str | None = None
    actors: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    nobody: tuple[str, ...] = ()


_DEFINITION = (
    "id", "organization_id", "key", "name", "description", "icon", "criteria", "status"
)  # fmt: skip
_LOG = (
    "log_id", "topic", "slot", "connector", "system_identifier", "state", "columns", "fingerprint",
    "stand_in",
)  # fmt: skip

OWN_TABLES: Mapping[str, OwnTable] = {
    "public.badge_awards": OwnTable(
        mentor="peer_mentor_id",
        actors=("awarded_by", "revoked_by", "changed_by", "dated_by"),
        own=("id", "badge_definition_id", "tier", "evidence"),
    ),
    "public.badge_award_events": OwnTable(
        mentor="peer_mentor_id",
        actors=("actor",),
        own=("badge_award_id", "badge_definition_id", "kind", "tier", "source", "reason"),
    ),
    "public.peer_mentor_stats": OwnTable(
        key="peer_mentor_id", mentor="peer_mentor_id", own=("counts_by_type",)
    ),
    "public.badge_refused_writes": OwnTable(
        mentor="peer_mentor_id",
        own=(
            "log_id", "kind", "badge_definition_id", "badge_award_id", "decision", "sqlstate",
            "message", "refused_by",
        ),
    ),
    "public.badge_alerts": OwnTable(words=("detail",), nobody=("kind",)),
    "public.badge_audits": OwnTable(
        words=("findings", "error"), nobody=("organization_id", "checked")
    ),
    "public.badge_logs": OwnTable(key="log_id", words=("reason",), found="found", nobody=_LOG),
    "public.badge_definition_versions": OwnTable(actors=("saved_by",), nobody=_DEFINITION),
    "public.organization_versions": OwnTable(actors=("saved_by",), nobody=("id", "timezone")),
    "public.badge_log_positions": OwnTable(
        nobody=("log_id", "turn_id", "last_sequence", "evaluator")
    ),
    "public.badge_rule_positions": OwnTable(nobody=("kind", "id", "log_id")),
    "public.badge_heartbeats": OwnTable(),
    # Digests, of an organization's key: nobody can tell whose they are. They are kept for a day.
    "badges_private.idempotency_keys": OwnTable(
        nobody=("id", "request", "badge_definition_id")
    ),
    "badges_private.claim_paths": OwnTable(nobody=("claim", "path")),
    "badges_private.time_zones": OwnTable(nobody=("name",)),
    "badges_private.exposed": OwnTable(nobody=("given",)),
}  # fmt: skip
"""By schema and name. The application's own tables (SOURCES, definitions, organizations) aside."""
