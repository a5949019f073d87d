"""A snapshot that row-level security would blind is not begun, and nothing is revoked by it."""

import pytest

from streams.errors import Failure
from streams.filling import provisioning
from streams.filling.provisioning import resnapshot
from streams.log import generations
from tests.integration.pipeline import Pipeline, Rig, count_of

RESTRICTS = """
CREATE POLICY tenant ON activities AS RESTRICTIVE
    USING (current_setting('app.organization', true) IS NOT NULL)
"""


def test_nothing_is_filled_while_rows_are_hidden_from_the_connector(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1), revocable=True)
        await p.activity(mentor, "2026-01-10")
        p.ensure_a_worker()
        await p.settle()
        assert await p.award(mentor, badge) is not None

        await p.pool.execute("ALTER TABLE activities ENABLE ROW LEVEL SECURITY")
        await p.pool.execute(RESTRICTS)
        with pytest.raises(Failure, match=r"the restrictive policy tenant on public\.activities"):
            await resnapshot(p.site)
        await p.pool.execute("DROP POLICY tenant ON activities")
        await p.pool.execute("DROP POLICY badges_connect_all ON activities")
        with pytest.raises(Failure, match=r"hides rows of public\.activities from badges_connect"):
            await resnapshot(p.site)
        live = await generations.live(p.pool)
        assert live is not None
        assert live.number == p.log.number
        assert await generations.filling(p.pool) is None
        await provisioning.provision(p.site)

        await p.pool.execute(
            "CREATE POLICY badges_connect_all ON activities TO badges_connect USING (true)"
        )
        p.log = await resnapshot(p.site)
        await p.settle()
        held = await p.award(mentor, badge)
        assert held is not None
        assert held["revoked_at"] is None
        assert await p.events(mentor, badge) == ["granted"]

    own.run(test)
