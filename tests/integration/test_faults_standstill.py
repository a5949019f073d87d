"""A turn that cannot be written at all: the partition stands still, is told, and goes on."""

from collections.abc import Iterator
from datetime import date
from uuid import UUID

import pytest

from tests.integration.pipeline import Pipeline, Rig, count_of, pipeline
from tests.integration.refusing import alert, all_closed
from tests.integration.workers import Worker
from tests.stack import Stack

TOLD_WITHIN = 90.0
"""Half a minute, and a busy machine."""


@pytest.fixture
def own(stack: Stack) -> Iterator[Rig]:
    """A pipeline of the test's own: rights are its database's."""
    with pipeline(stack) as made:
        yield made


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
    await p.until(lambda: p.award(mentor, badge), 60, "the award")
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
        await p.until(lambda: alert(p, "turn_stalled"), TOLD_WITHIN, "the alert")
        told = await alert(p, "turn_stalled")
        assert told is not None
        assert told["sqlstate"] == "42501"
        assert told["subject"] == str(told["partition"])
        assert "permission denied" in told["message"]
        assert await p.award(mentor, badge) is None
        tries = len(worker.said("not available, trying again"))
        assert tries < 60
        await p.pool.execute(f"GRANT {right} TO badges_worker")
        await written_once(p, mentor, badge)
        assert worker.runs

    own.run(test)
