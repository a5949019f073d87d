"""The runs of `badges audit`: what each leaves behind, and what it does without a stream."""

import json
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from msgspec.structs import replace

from badges.queries.audit.findings import Checked, Finding
from badges.upkeep import auditing
from badges.upkeep.auditing import AuditScope
from sinks.pool import Connection
from streams.errors import Failure
from streams.lag import catching_up
from streams.log.kafka import KafkaAccess
from tests.integration.schema.people import People, settle
from tests.integration.schema.test_commands import badges
from tests.integration.schema.test_pruning import GENERATION

pytestmark = pytest.mark.anyio

NOWHERE = KafkaAccess("127.0.0.1:1")


async def counted(db: Connection, people: People) -> None:
    """Statistics of a mentor without rows."""
    await db.execute("INSERT INTO peer_mentor_stats (peer_mentor_id) VALUES ($1)", people.mentor)


async def audit(db: Connection, scope: AuditScope = AuditScope(), **more: Any) -> auditing.Audited:  # noqa: B008
    return await auditing.run(
        db, NOWHERE, scope, limit=0.2, repair=False, tell=lambda _: None, **more
    )


async def open_an_alert(db: Connection, scope: str, since: str | None) -> None:
    detail = {"subject": scope, **({"since": since} if since else {})}
    await db.execute(
        "INSERT INTO badge_alerts (kind, detail) VALUES ('audit_differs', $1)", json.dumps(detail)
    )


async def open_alerts(db: Connection) -> list[str]:
    rows = await db.fetch(
        "SELECT detail ->> 'subject' AS subject FROM badge_alerts "
        "WHERE kind = 'audit_differs' AND resolved_at IS NULL ORDER BY id"
    )
    return [row["subject"] for row in rows]


async def test_where_nothing_differs_no_stream_is_needed(db: Connection) -> None:
    people = await settle(db)
    await counted(db, people)
    outcome = await audit(db)
    assert (outcome.ok, outcome.checked.mentors, outcome.checked.stats) == (True, 1, 1)
    row = await db.fetchrow("SELECT * FROM badge_audits")
    assert row is not None
    assert (row["id"], row["ok"], row["error"], row["explained"]) == (outcome.audit, True, None, 0)
    assert row["finished_at"] >= row["at"]
    assert json.loads(row["checked"]) == {"mentors": 1, "awards": 0, "stats": 1}
    assert tuple(await db.fetchrow("SELECT * FROM badges_private.last_audit()") or ()) == (
        row["finished_at"],
        "{}",
    )


async def no_longer(connection: Connection, kafka: KafkaAccess, lsn: int, limit: float) -> None:
    """Wait for the stream, and give up as soon as it is known what for."""
    async for reason in catching_up._reasons(connection, kafka, lsn, limit):
        raise catching_up.Behind(reason)


async def test_what_differs_is_not_called_wrong_without_a_stream(
    db: Connection, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(auditing, "until_decided", no_longer)
    await settle(db)
    with pytest.raises(Failure, match="no log has become live within"):
        await audit(db)
    row = await db.fetchrow("SELECT ok, finished_at, error FROM badge_audits")
    assert row is not None
    assert (row["ok"], row["finished_at"] is None) == (None, False)
    assert "no log has become live" in row["error"]
    assert await db.fetch("SELECT FROM badges_private.last_audit()") == []
    ended = badges(url, "audit", "--limit", "15")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "cannot be told" in ended.stderr
    assert "no log has become live within 15 s" in ended.stderr


async def test_the_command_says_what_it_compared(db: Connection, url: str) -> None:
    people, other = await settle(db), await settle(db, "bergen")
    await counted(db, people)
    whole = badges(url, "audit", "--organization", "oslo")
    assert (whole.returncode, whole.stderr) == (0, "")
    assert "Nothing differs: 0 awards and 1 rows of statistics of 1 mentors" in whole.stdout
    unknown = badges(url, "audit", "--organization", "Oslo", "--json")
    assert unknown.returncode == 2
    assert '"Oslo"' in json.loads(unknown.stdout)["error"]
    assert badges(url, "audit", "--since", "yesterday").returncode == 2
    assert await db.fetchval("SELECT count(*) FROM badge_audits") == 1
    assert other.organization != people.organization


async def test_a_run_closes_the_alerts_that_it_covers(db: Connection) -> None:
    here, elsewhere = await settle(db), await settle(db, "bergen")
    for people in (here, elsewhere):
        await counted(db, people)
    home, away = str(here.organization), str(elsewhere.organization)
    for scope, since in (("", None), (home, None), (away, None)):
        await open_an_alert(db, scope, since)
    await audit(db, AuditScope(here.organization, date(2026, 1, 1)))
    assert await open_alerts(db) == ["", home, away]
    await audit(db, AuditScope(here.organization))
    assert await open_alerts(db) == ["", away]
    await open_an_alert(db, home, "2026-05-01")
    await audit(db, AuditScope(here.organization, date(2026, 6, 1)))
    assert await open_alerts(db) == ["", away, home]
    await audit(db, AuditScope(here.organization, date(2026, 4, 1)))
    assert await open_alerts(db) == ["", away]
    await audit(db)
    assert await open_alerts(db) == []


async def test_what_a_wider_run_finds_is_told_in_the_place_of_what_a_narrower_one_has(
    db: Connection,
) -> None:
    people = await settle(db)
    finding = Finding("stats", people.mentor, None, {}, None, "the mentor has no statistics")
    differs = auditing.Audited(1, False, Checked(), [finding], [], [], [])

    async def told() -> list[tuple[int, str | None]]:
        rows = await db.fetch(
            "SELECT id, detail ->> 'since' AS since FROM badge_alerts WHERE resolved_at IS NULL"
        )
        return [(row["id"], row["since"]) for row in rows]

    async def since() -> list[str | None]:
        return [each for _, each in await told()]

    await auditing._alert(db, AuditScope(since=date(2026, 5, 1)), differs)
    assert await since() == ["2026-05-01"]
    before = await told()
    await auditing._alert(db, AuditScope(since=date(2026, 5, 1)), differs)
    assert await told() == before
    await auditing._alert(db, AuditScope(), differs)
    assert await since() == [None]
    await auditing._alert(db, AuditScope(since=date(2026, 5, 1)), replace(differs, ok=True))
    await auditing._alert(db, AuditScope(since=date(2026, 5, 1)), differs)
    assert await since() == [None]
    await auditing._alert(db, AuditScope(), replace(differs, ok=True))
    assert await since() == []


async def test_who_may_not_see_every_row_is_refused(db: Connection) -> None:
    """What row-level security hides would look like what is wrong."""
    await settle(db)
    await db.execute("CREATE ROLE auditor")
    try:
        await db.execute(
            "GRANT SELECT ON ALL TABLES IN SCHEMA public TO auditor; "
            "GRANT INSERT, UPDATE ON badge_audits TO auditor; "
            "GRANT USAGE ON SCHEMA badges_private TO auditor; "
            "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA badges_private TO auditor; "
            "CREATE POLICY auditor ON badge_audits TO auditor USING (true) WITH CHECK (true); "
            "SET ROLE auditor"
        )
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await audit(db)
        await db.execute("RESET ROLE")
        assert "row-level security" in await db.fetchval("SELECT error FROM badge_audits")
    finally:
        await db.execute("RESET ROLE; DROP OWNED BY auditor; DROP ROLE auditor")


@pytest.mark.parametrize("role", ["badges_api", "service_role"])
async def test_nobody_else_can_write_as_the_audit(supabase: Connection, role: str) -> None:
    people = await settle(supabase)
    await supabase.execute("SELECT set_config('badges.writer', 'audit', false)")
    await supabase.execute(
        f"GRANT INSERT, SELECT ON badge_awards TO {role}; "
        f"CREATE POLICY writes ON badge_awards TO {role} USING (true) WITH CHECK (true); "
        f"SET ROLE {role}"
    )
    award: UUID = await supabase.fetchval(
        "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
        "VALUES ($1, $2, now()) RETURNING id",
        people.mentor,
        people.definition,
    )
    await supabase.execute("RESET ROLE; RESET badges.writer")
    row = await supabase.fetchrow("SELECT changed_by FROM badge_awards WHERE id = $1", award)
    assert row is not None
    assert row["changed_by"] != "audit"


async def test_an_award_of_a_definition_without_versions_is_compared_all_the_same(
    db: Connection,
) -> None:
    """Somebody has saved it while its triggers were off, as a restore does."""
    people = await settle(db)
    await counted(db, people)
    await db.execute(GENERATION, 1, "live", False)
    async with db.transaction():
        await db.execute("SET LOCAL session_replication_role = replica")
        unknown: UUID = await db.fetchval(
            "INSERT INTO badge_definitions (organization_id, key, name, criteria, status, version) "
            "VALUES ($1, 'unknown', 'Unknown', '{}', 'active', 1) RETURNING id",
            people.organization,
        )
        await db.execute(
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at, earned_on, "
            "awarded_by, changed_by) VALUES ($1, $2, '2026-03-01', '2026-03-01', 'rule', 'rule')",
            people.mentor,
            unknown,
        )
    found, _ = await auditing.look(db, None, AuditScope())
    (extra,) = found.findings
    assert extra.subject == ("extra", people.mentor, unknown)
