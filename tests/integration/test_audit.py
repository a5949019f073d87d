"""`badges audit` on a live system: what it finds, what it waits for, and what it mends."""

import json
from collections.abc import Sequence
from datetime import date
from functools import partial
from typing import Any, TypeAlias
from uuid import UUID

from badges.queries.audit.findings import Finding
from badges.upkeep import auditing
from badges.upkeep.auditing import Audited, AuditScope
from schema.database import connect
from tests.integration.commands import Command
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.stack import LIMIT_S

BROKEN = 100
TIERS = [{"name": name, "at_least": n} for name, n in (("bronze", 1), ("silver", 2), ("gold", 3))]
SHIFT = (
    "UPDATE badge_awards SET earned_at = earned_at - interval '3 days' "
    "WHERE peer_mentor_id = ANY ($1) AND badge_definition_id = $2"
)
REFUSES = """
CREATE FUNCTION refuse_audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE EXCEPTION 'not this one'; END $$;
CREATE TRIGGER refuse_audit BEFORE UPDATE ON peer_mentor_stats FOR EACH ROW
WHEN (NEW.peer_mentor_id = '{}' AND current_setting('badges.writer', true) = 'audit')
EXECUTE FUNCTION refuse_audit();
"""
"""An application that does not let the audit mend the statistics of one mentor."""
WRITTEN_ANEW = ("changed_by", "changed_xid", "dated_by", "updated_at")
"""What says who wrote a row last, and when."""


async def audit(
    p: Pipeline, organization: UUID | None = None, *, repair: bool = False, limit: float = LIMIT_S
) -> Audited:
    """Run an audit in this process."""
    async with connect(p.owner_url) as connection:
        return await auditing.run(
            connection,
            p.site.access,
            AuditScope(organization),
            limit=limit,
            repair=repair,
            tell=lambda _: None,
        )


Subject: TypeAlias = tuple[str, UUID, UUID | None]
"""Kind, mentor and definition of a finding."""


def subjects(findings: Sequence[Finding]) -> set[Subject]:
    return {finding.subject for finding in findings}


async def silently(p: Pipeline, sql: str, *values: Any) -> None:
    """Write as somebody for whom no trigger fires."""
    async with p.pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(sql, *values)


async def visit(p: Pipeline, mentors: Sequence[UUID], *days: int) -> None:
    """Insert a visit of each mentor on each of these days of March."""
    await p.pool.executemany(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, "
        "duration_minutes) VALUES (gen_random_uuid(), $1, 'visit', $2, 30)",
        [(each, date(2026, 3, day)) for each in mentors for day in days],
    )


async def crowd(p: Pipeline, number: int) -> tuple[UUID, list[UUID]]:
    """An organization and so many of its mentors, with visits on the second and third of March."""
    organization = await p.organization()
    mentors = [await p.mentor(organization) for _ in range(number)]
    await visit(p, mentors, 2, 3)
    return organization, mentors


async def results(p: Pipeline) -> list[dict[str, Any]]:
    """Every award, event and row of statistics, but for who wrote it last."""
    found = []
    for table in ("badge_awards", "badge_award_events", "peer_mentor_stats"):
        for row in await p.pool.fetch(f"SELECT * FROM {table} ORDER BY 1"):
            found.append({n: value for n, value in row.items() if n not in WRITTEN_ANEW})
    return found


async def last_run(p: Pipeline) -> dict[str, Any]:
    """The newest row of badge_audits."""
    row = await p.pool.fetchrow("SELECT * FROM badge_audits ORDER BY id DESC LIMIT 1")
    assert row is not None
    return dict(row)


async def open_alerts(p: Pipeline, organization: UUID) -> int:
    return int(
        await p.pool.fetchval(
            "SELECT count(*) FROM badge_alerts WHERE kind = 'audit_differs' "
            "AND detail ->> 'subject' = $1 AND resolved_at IS NULL",
            str(organization),
        )
    )


def test_exactly_what_somebody_broke_is_found_and_mended(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentors = await crowd(p, BROKEN + 5)
        await p.badge(organization, count_of(1))
        second = await p.badge(organization, count_of(2), revocable=True)
        await p.settle()
        assert (await audit(p, organization)).findings == []

        before = await results(p)
        broken = mentors[:BROKEN]
        await silently(p, SHIFT, broken, second)
        await silently(
            p,
            "UPDATE peer_mentor_stats SET activity_count = 7, week_streak_longest = 3 "
            "WHERE peer_mentor_id = ANY ($1)",
            broken,
        )
        wrong: set[Subject] = {("date", each, second) for each in broken}
        wrong |= {("stats", each, None) for each in broken}
        found = await audit(p, organization)
        assert (found.ok, subjects(found.findings)) == (False, wrong)
        assert await open_alerts(p, organization) == 1

        mended = await audit(p, organization, repair=True)
        assert (mended.refused, subjects(mended.repaired)) == ([], wrong)
        assert await results(p) == before
        assert (await audit(p, organization)).findings == []

        await silently(p, SHIFT, broken[:1], second)
        again = await audit(p, organization, repair=True)
        assert subjects(again.findings) == {("date", broken[0], second)}
        assert await results(p) == before
        assert (await audit(p, organization)).findings == []
        assert await open_alerts(p, organization) == 0
        run = await last_run(p)
        assert (run["ok"], json.loads(run["findings"]), run["error"]) == (True, {}, None)

        # What was mended is the rule's own: it is decided about as ever, and as the log says.
        await p.pool.execute(
            "DELETE FROM activities WHERE peer_mentor_id = $1 AND activity_date = '2026-03-03'",
            broken[0],
        )
        await p.settle()
        revoked = await p.award(broken[0], second)
        assert revoked is not None
        assert (revoked["revoked_by"], revoked["awarded_by"]) == ("rule", "rule")
        await visit(p, [broken[0]], 4)
        await p.settle()
        given_back = await p.award(broken[0], second)
        assert given_back is not None
        assert (given_back["revoked_by"], given_back["earned_on"]) == (None, date(2026, 3, 3))
        await p.verify()
        assert (await audit(p, organization)).findings == []

    working.run(test)


def test_tiers_and_revocations_are_mended_and_decided_on(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, (sunk, taken) = await crowd(p, 2)
        badge = await p.badge(organization, {"type": "tier", "metric": "count", "tiers": TIERS})
        await p.settle()
        await silently(
            p,
            "UPDATE badge_awards SET tier = 'bronze', tier_earned_on = '2026-03-02', "
            "tier_earned_at = '2026-03-01 23:00+00' WHERE peer_mentor_id = $1",
            sunk,
        )
        await silently(
            p,
            "UPDATE badge_awards SET revoked_by = 'rule', revoked_at = now() "
            "WHERE peer_mentor_id = $1",
            taken,
        )
        found = await audit(p, organization, repair=True)
        wrong = {("tier", sunk, badge), ("revocation", taken, badge)}
        assert subjects(found.findings) == subjects(found.repaired) == wrong
        for mentor in (sunk, taken):
            award = await p.award(mentor, badge)
            assert award is not None
            assert (award["tier"], award["tier_earned_on"]) == ("silver", date(2026, 3, 3))
            assert (award["revoked_by"], award["changed_by"]) == (None, "audit")
        await visit(p, [sunk, taken], 4)
        await p.settle()
        for mentor in (sunk, taken):
            award = await p.award(mentor, badge)
            assert award is not None
            assert (award["tier"], award["changed_by"]) == ("gold", "rule")
        assert (await p.events(taken, badge))[-2:] == ["restored", "promoted"]
        await p.verify()
        assert (await audit(p, organization)).findings == []

    working.run(test)


def test_a_missing_award_is_given_and_an_extra_one_is_left(working: Rig) -> None:
    """A row that names another badge, in a way that no worker hears of."""

    async def test(p: Pipeline) -> None:
        organization, (mentor,) = await crowd(p, 1)
        badge = await p.badge(organization, count_of(2), revocable=True)
        beyond = await p.badge(organization, count_of(50))
        await p.settle()
        await silently(
            p,
            "UPDATE badge_awards SET badge_definition_id = $2 WHERE peer_mentor_id = $1",
            mentor,
            beyond,
        )
        found = await audit(p, organization, repair=True)
        assert ("missing", mentor, badge) in subjects(found.findings)
        assert ("extra", mentor, beyond) in subjects(found.findings)
        assert subjects(found.repaired) == {("missing", mentor, badge)}
        award = await p.award(mentor, badge)
        assert award is not None
        assert (award["earned_on"], award["awarded_by"], award["changed_by"]) == (
            date(2026, 3, 3),
            "rule",
            "audit",
        )
        evidence = json.loads(award["evidence"])
        assert (evidence["audit"], evidence["counts"]) == (found.audit, {"$": 2})
        event = await p.pool.fetchrow(
            "SELECT kind, source, actor FROM badge_award_events WHERE badge_award_id = $1",
            award["id"],
        )
        assert event is not None
        assert tuple(event) == ("granted", "replay", "audit")
        await p.settle()
        await p.pool.execute("DELETE FROM activities WHERE peer_mentor_id = $1", mentor)
        await p.settle()
        revoked = await p.award(mentor, badge)
        assert revoked is not None
        assert (revoked["id"], revoked["revoked_by"]) == (award["id"], "rule")
        await p.verify()

    working.run(test)


def test_what_postgres_refuses_is_told_and_the_rest_is_mended(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentors = await crowd(p, 6)
        await p.settle()
        await silently(
            p,
            "UPDATE peer_mentor_stats SET active_days = 9 WHERE peer_mentor_id = ANY ($1)",
            mentors,
        )
        await p.pool.execute(REFUSES.format(mentors[2]))
        found = await audit(p, organization, repair=True)
        assert subjects(found.findings) == {("stats", each, None) for each in mentors}
        assert subjects(found.findings) - subjects(found.repaired) == {("stats", mentors[2], None)}
        assert ["not this one" in reason for reason in found.refused] == [True]
        assert (await last_run(p))["repaired"] == 5
        await p.pool.execute(
            "DROP TRIGGER refuse_audit ON peer_mentor_stats; DROP FUNCTION refuse_audit"
        )
        mended = await audit(p, organization, repair=True)
        assert subjects(mended.repaired) == {("stats", mentors[2], None)}

    working.run(test)


def test_awards_that_go_come_back_and_are_no_finding(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentors = await crowd(p, 20)
        badge = await p.badge(organization, count_of(2))
        await p.settle()
        await silently(p, "DELETE FROM badge_awards WHERE badge_definition_id = $1", badge)
        # It waits for the worker, who gives them again.
        assert (await audit(p, organization)).findings == []
        for mentor in mentors:
            assert await p.award(mentor, badge)

    working.run(test)


def test_while_the_worker_stands_still_nothing_is_said_to_be_wrong(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker()
        await p.at_work(worker)
        organization, _ = await crowd(p, 3)
        await p.settle()
        only = ("--organization", str(organization), "--json")
        worker.pause()
        try:
            await p.mentor(organization)
            # On a busy machine Kafka may use up its own part of the ten seconds, and is named then.
            for _ in range(4):
                short = await Command(p, "audit", "--limit", "10", *only).start()
                code, out, _ = await short.end()
                assert code == 2, out
                if "within 10 s" in out:
                    break
            assert "within 10 s" in json.loads(out)["error"]
            run = await last_run(p)
            assert (run["ok"], run["organization_id"]) == (None, organization)
            assert "within 10 s" in run["error"]

            patient = ("audit", "--limit", "400", *only)
            both = [await Command(p, *patient).start() for _ in range(2)]
            third = await Command(p, *patient).start()
            await p.until(partial(begun, p, run["id"]), 140)
            third.interrupt()
            assert (await third.end())[0] == 130
            await p.until(partial(interrupted, p, run["id"]))
        finally:
            worker.resume()
        for command in both:
            code, out, err = await command.end()
            assert code == 0, out + err
            assert json.loads(out)["findings"] == []

    unmanned.run(test)


async def begun(p: Pipeline, after: int) -> bool:
    """Whether three audits have begun after that one, and are still at it."""
    return bool(
        await p.pool.fetchval(
            "SELECT count(*) = 3 FROM badge_audits WHERE id > $1 AND finished_at IS NULL", after
        )
    )


async def interrupted(p: Pipeline, after: int) -> bool:
    """Whether one of the audits after that one says that it was interrupted."""
    return bool(
        await p.pool.fetchval(
            "SELECT EXISTS (SELECT FROM badge_audits WHERE id > $1 AND error = 'interrupted')",
            after,
        )
    )
