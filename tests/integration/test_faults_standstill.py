"""What stops a worker for as long as nobody mends it: it is told, and goes on by itself."""

import asyncio
from datetime import date
from typing import Any
from uuid import UUID

import pytest

from tests.integration.alerts import all_closed, told
from tests.integration.connections import end_sessions
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.workers import Worker


async def begin(p: Pipeline) -> tuple[Worker, UUID, UUID]:
    """A worker that has decided everything, and somebody with a badge one visit away."""
    worker = p.worker()
    await p.at_work(worker)
    organization, mentor = await p.newcomer()
    badge = await p.badge(organization, count_of(2))
    await p.activity(mentor, "2026-01-05")
    await p.settle()
    return worker, mentor, badge


async def written_once(p: Pipeline, mentor: UUID, badge: UUID) -> None:
    """Return when the badge is there, as if nothing had been."""
    await p.until(lambda: p.award(mentor, badge), what="the award")
    award = await p.award(mentor, badge)
    assert award is not None
    assert award["earned_on"] == date(2026, 1, 6)
    assert await p.events(mentor, badge) == ["granted"]
    assert await p.pool.fetchval("SELECT count(*) FROM badge_refused_writes") == 0
    await all_closed(p, "turn_stalled", "write_refused")
    await p.verify()


@pytest.mark.parametrize(
    "right",
    [
        "INSERT ON badge_award_events",
        "UPDATE (next_offset) ON badge_log_positions",
    ],
)
def test_a_right_that_is_revoked(own: Rig, right: str) -> None:
    async def test(p: Pipeline) -> None:
        worker, mentor, badge = await begin(p)
        await p.pool.execute(f"REVOKE {right} FROM badges_worker")
        await p.activity(mentor, "2026-01-06")
        detail = await told(p, "turn_stalled")
        assert detail["sqlstate"] == "42501"
        assert detail["subject"] == str(detail["partition"])
        assert "permission denied" in detail["message"]
        assert await p.award(mentor, badge) is None
        tries = len(worker.said("not available, trying again"))
        assert tries < 60
        await p.pool.execute(f"GRANT {right} TO badges_worker")
        await written_once(p, mentor, badge)
        assert worker.runs

    own.run(test)


@pytest.mark.parametrize("whole", ["ROLE badges_worker IN DATABASE {name}", "DATABASE {name}"])
def test_a_database_that_is_read_only(own: Rig, whole: str) -> None:
    async def test(p: Pipeline) -> None:
        worker, mentor, badge = await begin(p)
        name = await p.pool.fetchval("SELECT current_database()")
        owner = await p.pool.fetchval("SELECT current_user")
        # The application writes on, and says so itself.
        await p.pool.execute(
            f"ALTER ROLE {owner} IN DATABASE {name} SET default_transaction_read_only = off"
        )

        async def is_read_only(value: str) -> None:
            await p.pool.execute(
                f"ALTER {whole.format(name=name)} SET default_transaction_read_only = {value}"
            )
            await end_sessions(p)

        await is_read_only("on")
        await p.activity(mentor, "2026-01-06")

        def told() -> list[dict[str, Any]]:
            lines = worker.said("alert not written yet")
            return [line for line in lines if line["kind"] == "turn_stalled"]

        async def is_told() -> bool:
            return bool(told())

        await p.until(is_told, what="the line in the log")
        (line,) = told()
        assert line["detail"]["sqlstate"] == "25006"
        assert line["subject"] == str(line["detail"]["partition"])
        assert "read-only transaction" in line["detail"]["message"]
        assert await p.award(mentor, badge) is None
        await is_read_only("off")
        await written_once(p, mentor, badge)

        async def closed() -> bool:
            """Whether the alert is a row that is closed: it is written when its time comes."""
            return bool(
                await p.pool.fetchval(
                    "SELECT bool_and(resolved_at IS NOT NULL AND detail ->> 'sqlstate' = '25006') "
                    "FROM badge_alerts WHERE kind = 'turn_stalled' AND detail ->> 'subject' = $1",
                    line["subject"],
                )
            )

        await p.until(closed, what="the row of the alert, closed")
        assert await asyncio.to_thread(worker.ask_to_end) == 0

    own.run(test)


def test_a_worker_that_may_not_read_what_it_begins_from(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker, mentor, badge = await begin(p)
        await p.pool.execute("REVOKE SELECT ON badge_rule_positions FROM badges_worker")
        worker.kill()
        worker.start()
        await p.activity(mentor, "2026-01-06")
        detail = await told(p, "turn_stalled")
        assert detail["sqlstate"] == "42501"
        assert detail["subject"] == str(detail["partition"])
        assert "badge_rule_positions" in detail["message"]
        await p.pool.execute("GRANT SELECT ON badge_rule_positions TO badges_worker")
        await written_once(p, mentor, badge)
        assert worker.runs

    own.run(test)


def test_a_worker_that_may_not_read_which_log_is_live(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker, mentor, badge = await begin(p)
        worker.kill()
        await p.pool.execute("REVOKE SELECT ON badge_logs FROM badges_worker")
        worker.start()
        await p.activity(mentor, "2026-01-06")
        detail = await told(p, "turn_stalled")
        assert (detail["subject"], detail["sqlstate"]) == ("start", "42501")
        assert "badge_logs" in detail["message"]
        await p.pool.execute("GRANT SELECT ON badge_logs TO badges_worker")
        await written_once(p, mentor, badge)
        assert worker.runs

    own.run(test)


def test_versions_of_rules_that_may_not_be_read(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        worker, mentor, badge = await begin(p)
        await p.pool.execute("REVOKE SELECT ON badge_definition_versions FROM badges_worker")
        organization = await p.pool.fetchval(
            "SELECT organization_id FROM peer_mentors WHERE id = $1", mentor
        )
        new = await p.badge(organization, count_of(1))
        detail = await told(p, "turn_stalled")
        assert (detail["subject"], detail["sqlstate"]) == ("rules", "42501")
        assert "badge_definition_versions" in detail["message"]
        # What is known goes on.
        await p.activity(mentor, "2026-01-06")
        await p.until(lambda: p.award(mentor, badge), what="the award")
        assert await p.award(mentor, new) is None
        await p.pool.execute("GRANT SELECT ON badge_definition_versions TO badges_worker")
        await p.until(lambda: p.award(mentor, new), what="the award of the new badge")
        await written_once(p, mentor, badge)
        assert worker.runs

    own.run(test)


def test_a_function_that_writing_needs_and_may_not_execute(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor, badge = await begin(p)
        function = "FUNCTION badges_private.lock_for_awards(uuid[], uuid[])"
        await p.pool.execute(f"REVOKE EXECUTE ON {function} FROM badges_worker")
        await p.activity(mentor, "2026-01-06")
        await p.until(lambda: p.award(mentor, badge), what="the award, by another way")
        detail = await told(p, "write_refused")
        assert (detail["sqlstate"], detail["waiting"]) == ("42501", 0)
        assert "lock_for_awards" in detail["message"]
        await p.pool.execute(f"GRANT EXECUTE ON {function} TO badges_worker")
        await written_once(p, mentor, badge)

    own.run(test)
