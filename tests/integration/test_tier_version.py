"""A tier keeps the rank that it was given with, also where the log begins anew."""

from typing import Any

from streams.filling.provisioning import resnapshot
from tests.integration.pipeline import Pipeline, Rig, criteria_text


def tiers(**levels: int) -> dict[str, Any]:
    steps = [{"name": name, "at_least": level} for name, level in levels.items()]
    return {"type": "tier", "metric": "count", "tiers": steps}


def test_a_tier_keeps_its_rank_through_a_new_generation(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        p.ensure_a_worker()
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, tiers(bronze=1, silver=2))

        async def save(criteria: dict[str, Any]) -> None:
            await p.pool.execute(
                "UPDATE badge_definitions SET criteria = $2 WHERE id = $1",
                badge,
                criteria_text(criteria),
            )
            await p.settle()

        await p.activity(mentor, "2026-01-01")
        await p.settle()
        # Promoted by the second version: by the first, silver would rank below the third's mid.
        await save(tiers(bronze=1, silver=4))
        for day in ("2026-01-02", "2026-01-03", "2026-01-04"):
            await p.activity(mentor, day)
        await p.settle()
        await save(tiers(bronze=1, mid=3, high=9))
        held = await p.award(mentor, badge)
        assert held is not None
        assert (held["tier"], held["definition_version"], held["tier_version"]) == ("silver", 1, 2)

        p.log = await resnapshot(p.site)
        await p.activity(mentor, "2026-01-05")
        await p.settle()
        assert await p.award(mentor, badge) == held
        assert await p.events(mentor, badge) == ["granted", "promoted"]
        await p.verify()

    own.run(test)
