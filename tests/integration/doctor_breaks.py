"""Ways to break an installation, each with the checks that doctor has to name, and its end."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeAlias
from uuid import uuid4

from schema.migrations import MARK
from sinks.base import DeadLetter
from sinks.dead_letters import KafkaDeadLetters, key_of
from streams.log import topics
from streams.log.kafka import KafkaAccess
from tests.contract.proxy import HOST
from tests.integration.pipeline import Pipeline
from tests.integration.schema.sessions import triggers_off
from tests.stack import LIMIT_S

Act: TypeAlias = str | Callable[[Pipeline], Awaitable[None]]
"""SQL of the database's owner, in which {p} is the prefix and {db} the database; or a function."""

NOBODY = f"{HOST}:1"
LATER = "99990101000000"


@dataclass(frozen=True)
class Break:
    """Something that goes wrong. `ends` undoes it; without, the fix that doctor proposes must.

    `settings` are wrong ones that doctor itself is given, right again afterwards.
    """

    name: str
    names: tuple[str, ...]
    does: Act = ""
    ends: Act | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


def _role(setting: str, value: str) -> Break:
    return Break(
        f"a {setting} for a role",
        ("role_timeouts",),
        f"ALTER ROLE badges_worker SET {setting} = '{value}'",
    )


SERVER = (
    _role("statement_timeout", "90s"),
    _role("lock_timeout", "90s"),
    _role("idle_in_transaction_session_timeout", "90s"),
    Break("few connections", ("role_logins",), "ALTER ROLE badges_api CONNECTION LIMIT 3"),
    Break(
        "a password that has expired",
        ("role_logins",),
        "ALTER ROLE badges_api VALID UNTIL '2020-01-01'",
    ),
    Break(
        "a role without a login",
        ("role_logins",),
        "ALTER ROLE badges_api NOLOGIN",
        "ALTER ROLE badges_api LOGIN",
    ),
    Break("a role that may not replicate", ("roles",), "ALTER ROLE badges_connect NOREPLICATION"),
    Break(
        "sessions without triggers",
        ("replication_role",),
        "ALTER DATABASE {db} SET session_replication_role = 'replica'",
    ),
    Break(
        "a database that takes no writes",
        ("writable",),
        "ALTER DATABASE {db} SET default_transaction_read_only = on",
    ),
    Break(
        "commits that a crash loses",
        ("durable",),
        "ALTER DATABASE {db} SET synchronous_commit = off",
    ),
    Break(
        "little WAL for an outage",
        ("wal_kept",),
        "ALTER SYSTEM SET max_slot_wal_keep_size = '900MB'; SELECT pg_reload_conf()",
    ),
    Break(
        "no slot that is free",
        ("replication_slots",),
        """
        SELECT pg_create_physical_replication_slot('taken_' || n)
        FROM generate_series(1, current_setting('max_replication_slots')::int
                                - (SELECT count(*)::int FROM pg_replication_slots)) AS n
        """,
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots "
        "WHERE slot_name LIKE 'taken\\_%'",
    ),
)

SCHEMA = (
    Break("an index that is gone", ("indexes",), "DROP INDEX badge_award_events_xid_id_idx"),
    Break(
        "a constraint that is gone",
        ("constraints",),
        "ALTER TABLE badge_awards DROP CONSTRAINT badge_awards_tier_check",
    ),
    Break(
        "a trigger that is disabled",
        ("triggers",),
        "ALTER TABLE badge_definitions DISABLE TRIGGER badges_save_definition",
    ),
    Break(
        "a trigger that is gone",
        ("triggers",),
        "DROP TRIGGER badges_save_timezone ON organizations",
    ),
    Break(
        # Rows may have been truncated meanwhile: that is a gap in the log, which stays.
        "a trigger of the source that is disabled",
        ("triggers", "log_whole"),
        "ALTER TABLE activities DISABLE TRIGGER badges_delete_before_truncate",
        "ALTER TABLE activities ENABLE ALWAYS TRIGGER badges_delete_before_truncate",
    ),
    Break(
        "a function of another version",
        ("functions",),
        "CREATE OR REPLACE FUNCTION badges_private.acting_role() RETURNS text LANGUAGE sql STABLE "
        "SET search_path = pg_catalog, pg_temp AS 'SELECT current_user::text'",
    ),
    Break("a view that is gone", ("tables",), "DROP VIEW peer_mentor_streaks_at_risk"),
    Break(
        "a policy that is gone",
        ("row_security",),
        "DROP POLICY badges_worker_all ON badge_alerts",
    ),
    Break(
        "a table without row-level security",
        ("row_security",),
        "ALTER TABLE badge_awards DISABLE ROW LEVEL SECURITY",
    ),
    Break(
        "a restrictive policy",
        ("row_security",),
        "CREATE POLICY only_some ON activities AS RESTRICTIVE USING (duration_minutes > 0)",
        "DROP POLICY only_some ON activities",
    ),
    Break(
        "a right that is gone", ("rights",), "REVOKE SELECT ON badge_award_events FROM badges_api"
    ),
    Break("a table open to everybody", ("exposure",), "GRANT SELECT ON badge_alerts TO PUBLIC"),
    Break(
        "a publication without deletes",
        ("publication", "log_whole"),
        "ALTER PUBLICATION {p}_mentor_log SET (publish = 'insert, update')",
    ),
    Break(
        "a publication without heartbeats",
        ("publication",),
        "ALTER PUBLICATION {p}_mentor_log DROP TABLE badge_heartbeats",
        "ALTER PUBLICATION {p}_mentor_log ADD TABLE badge_heartbeats (id, at)",
    ),
    Break(
        # A delete meanwhile would have gone without its mentor.
        "another replica identity",
        ("replica_identity", "log_whole"),
        "ALTER TABLE mentor_pauses REPLICA IDENTITY DEFAULT",
        "ALTER TABLE mentor_pauses REPLICA IDENTITY USING INDEX mentor_pauses_mentor_identity_idx",
    ),
    Break(
        "a migration that is not applied",
        ("migrations",),
        "DELETE FROM supabase_migrations.schema_migrations WHERE version = "
        "(SELECT max(version) FROM supabase_migrations.schema_migrations)",
    ),
    Break(
        "a database of a newer version",
        ("migrations",),
        "INSERT INTO supabase_migrations.schema_migrations (version, name, statements) "
        f"VALUES ('{LATER}', 'later', ARRAY['{MARK}of a newer version'])",
        f"DELETE FROM supabase_migrations.schema_migrations WHERE version = '{LATER}'",
    ),
)


async def _unseen_organization(p: Pipeline) -> None:
    connection = p.site.connection
    async with triggers_off(connection):
        await connection.execute(
            "INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)", uuid4(), str(uuid4())
        )


async def _badge(p: Pipeline, criteria: dict[str, Any], key: str, status: str = "active") -> None:
    await p.badge(await p.organization(), criteria, key=key, status=status)


async def _circle(p: Pipeline) -> None:
    organization = await p.organization()
    for key, other in (("circle-1", "circle-2"), ("circle-2", "circle-1")):
        criteria = {"type": "badges", "badges": [other]}
        await p.badge(organization, criteria, key=key)


DROP_CIRCLE = "DELETE FROM badge_definitions WHERE key LIKE 'circle-%'"
NOTES = (
    Break("an organization that no worker knows", ("versions_recorded",), _unseen_organization),
    Break(
        "criteria that are invalid",
        ("definitions_valid",),
        lambda p: _badge(p, {"type": "unheard-of"}, "circle-0"),
        DROP_CIRCLE,
    ),
    Break("badges in a circle", ("definitions_valid",), _circle, DROP_CIRCLE),
    Break(
        "raw criteria",
        ("definitions_raw",),
        lambda p: _badge(p, {"type": "raw", "criteria_raw": {}, "reason": "none"}, "circle-3"),
        DROP_CIRCLE,
    ),
    Break(
        "raw criteria of a draft",
        ("definitions_raw",),
        lambda p: _badge(
            p, {"type": "raw", "criteria_raw": {}, "reason": "none"}, "circle-4", "draft"
        ),
        DROP_CIRCLE,
    ),
    Break(
        "a write that is refused",
        ("refused_writes",),
        "INSERT INTO badge_refused_writes (log_id, partition, kind, peer_mentor_id, decision, "
        "sqlstate, message) SELECT log_id, 0, 'stats', gen_random_uuid(), '{{}}', 'P0001', 'no' "
        "FROM badge_logs WHERE state = 'live'",
        "DELETE FROM badge_refused_writes",
    ),
    Break(
        "an alert that is open",
        ("alerts",),
        "INSERT INTO badge_alerts (kind, detail) VALUES ('partition_failed', '{{}}')",
        "UPDATE badge_alerts SET resolved_at = now() WHERE resolved_at IS NULL",
    ),
    Break(
        "decided by another version",
        ("worker_version",),
        "UPDATE badge_log_positions SET evaluator = 'another', turn = turn + 1 WHERE partition = 0",
        "UPDATE badge_log_positions SET evaluator = NULL, turn = turn - 1 WHERE partition = 0",
    ),
    Break(
        "a partition without a position",
        ("positions",),
        "CREATE TABLE badges_private.kept AS SELECT * FROM badge_log_positions "
        "WHERE partition = 1; DELETE FROM badge_log_positions WHERE partition = 1",
        "INSERT INTO badge_log_positions SELECT * FROM badges_private.kept; "
        "DROP TABLE badges_private.kept",
    ),
    Break(
        "a generation that is half filled",
        ("half_filled",),
        "INSERT INTO badge_logs (log_id, generation, topic, slot, connector, partitions, "
        "system_identifier, timeline, state) SELECT 'half', 99, topic || '9', slot || '9', "
        "connector || '9', 1, system_identifier, timeline, 'filling' FROM badge_logs",
        "DELETE FROM badge_logs WHERE log_id = 'half'",
    ),
    Break(
        "a slot that nobody reads",
        ("slots_left_over",),
        "SELECT pg_create_logical_replication_slot('{p}_mentor_log_99', 'pgoutput')",
    ),
    Break("no row for heartbeats", ("probe",), "DELETE FROM badge_heartbeats"),
)


def _set(
    topic: Callable[[Pipeline], str], **settings: str
) -> Callable[[Pipeline], Awaitable[None]]:
    named = {name.replace("_", "."): value for name, value in settings.items()}
    return lambda p: p.site.cluster.change(topic(p), named)


def _dead_letters(p: Pipeline) -> str:
    return topics.dead_letters(p.site.prefix).name


LETTER = DeadLetter(
    log_id="log", partition=0, offset=1, reason="a test", at=datetime(2026, 1, 1, tzinfo=UTC),
    key=b"key", value=b"value",
)  # fmt: skip


async def _send_letter(p: Pipeline) -> None:
    store = KafkaDeadLetters(_dead_letters(p), _client(p), patience=LIMIT_S)
    await store.send([LETTER])
    await store.close()


async def _remove_letter(p: Pipeline) -> None:
    store = KafkaDeadLetters(_dead_letters(p), _client(p), patience=LIMIT_S)
    await store.remove([key_of(LETTER)])
    await store.close()


def _client(p: Pipeline) -> dict[str, Any]:
    return KafkaAccess(p.stack.kafka_bootstrap).client_options()


async def _configure(p: Pipeline, name: str, value: str) -> None:
    config = await p.site.connect.config(p.log.connector)
    assert config is not None
    await p.site.connect.configure(p.log.connector, {**config, name: value})


FLOW = (
    Break(
        "a log that expires",
        ("log_whole",),
        # So late that nothing of it goes during the test.
        _set(lambda p: p.log.topic, retention_ms="315360000000"),
    ),
    Break(
        "a leader that may have lost records",
        ("topics",),
        _set(lambda p: p.log.topic, unclean_leader_election_enable="true"),
    ),
    Break(
        "heartbeats that are kept",
        ("topics",),
        _set(lambda p: p.log.heartbeat_topic, retention_ms="-1"),
    ),
    Break("dead letters that expire", ("topics",), _set(_dead_letters, cleanup_policy="delete")),
    Break("a dead letter", ("dead_letters",), _send_letter, _remove_letter),
    Break(
        "a connector that is stopped",
        ("connector",),
        lambda p: p.site.connect.stop(p.log.connector),
    ),
    Break(
        "a connector that is gone", ("connector",), lambda p: p.site.connect.delete(p.log.connector)
    ),
    Break(
        "another configuration",
        ("connector_config",),
        lambda p: _configure(p, "poll.interval.ms", "77"),
    ),
    Break(
        "another converter",
        ("converters",),
        lambda p: _configure(p, "value.converter.schemas.enable", "true"),
    ),
)

SETTINGS = (
    Break("no Postgres", ("postgres",), settings={"database_url": f"postgresql://{NOBODY}/x"}),
    Break("no Kafka", ("kafka",), settings={"kafka_bootstrap": NOBODY}),
    Break("no Connect", ("connect",), settings={"connect_url": f"http://{NOBODY}"}),
    Break("no API", ("api",), settings={"api_url": f"http://{NOBODY}"}),
    Break("other partitions", ("partitions",), settings={"partitions": 9}),
    Break("another prefix", ("prefix", "publication"), settings={"prefix": "another"}),
    Break("more replicas", ("replicas",), settings={"replication_factor": 3}),
)

BREAKS = (*SERVER, *SCHEMA, *NOTES, *FLOW, *SETTINGS)
