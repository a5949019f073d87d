"""What stands in the log for a text that was not sent is none that anybody can have written."""

from collections.abc import Iterator
from uuid import UUID, uuid4

import msgspec
import pytest

from sinks.pool import Pool
from streams.filling.provisioning import resnapshot
from streams.log.debezium import UNAVAILABLE
from tests.integration.alerts import OF_WAITING, all_closed, open_kinds
from tests.integration.found import complete, somebody
from tests.integration.pipeline import Pipeline, Rig, count_of, pipeline
from tests.integration.schema.sessions import long_text
from tests.stack import Stack

ORGANIZATION, FOUND = uuid4(), uuid4()
LONG = long_text(3_000, 7)
"""Stored out of line: an update that leaves it alone does not send it."""


async def before(pool: Pool) -> None:
    """A mentor of whom the first snapshot has Debezium's own word, as activity and as course."""
    await somebody(pool, ORGANIZATION, FOUND, [UNAVAILABLE])
    await pool.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "VALUES (gen_random_uuid(), $1, $2, '2026-01-01')",
        FOUND,
        UNAVAILABLE,
    )


@pytest.fixture
def rig(stack: Stack) -> Iterator[Rig]:
    """A pipeline of the test's own: its generation does not last."""
    with pipeline(stack, before) as own:
        yield own


async def counts(p: Pipeline, mentor: UUID) -> dict[str, int]:
    stats = await p.stats(mentor)
    assert stats is not None
    return msgspec.json.decode(stats["counts_by_type"], type=dict[str, int])


def test_what_people_write_is_data_in_the_snapshot_and_live_and_after_another(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        p.ensure_a_worker()
        badge = await p.badge(ORGANIZATION, count_of(1, UNAVAILABLE))
        trained = [
            await p.badge(ORGANIZATION, {"type": "training", "courses": [course]})
            for course in (UNAVAILABLE, LONG[:200])
        ]
        live = await p.mentor(ORGANIZATION)
        words = [UNAVAILABLE, p.log.stand_in[:-1], p.log.stand_in + "0"]
        for word in words:
            await p.activity(live, "2026-02-01", word)
        for word in (*words, LONG):
            await complete(p.pool, live, word)
        # The long one is left out of this, and what stands for it is resolved.
        await p.pool.execute(
            "UPDATE training_completions SET completed_on = '2026-02-02' WHERE peer_mentor_id = $1",
            live,
        )
        await p.settle()

        for _ in range(2):
            assert await counts(p, FOUND) == {UNAVAILABLE: 1}
            assert await counts(p, live) == dict.fromkeys(words, 1)
            for mentor in (FOUND, live):
                assert await p.award(mentor, badge) is not None
                assert await p.award(mentor, trained[0]) is not None
            late = await p.award(live, trained[1])
            assert late is not None
            await all_closed(p)
            await p.verify()

            before, p.log = p.log, await resnapshot(p.site)
            assert p.log.stand_in not in (before.stand_in, UNAVAILABLE)
            await p.settle()

    rig.run(test)


def test_a_text_that_the_log_never_had_is_a_break_all_the_same(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        mentors = [await p.mentor(ORGANIZATION) for _ in range(2)]
        badge = await p.badge(ORGANIZATION, {"type": "training", "courses": [LONG[:200]]})
        moving = await complete(p.pool, mentors[0], LONG)
        # Nobody looks meanwhile, so that alone what comes of it can tell.
        trigger = "TRIGGER zz_badges_send_whole"
        await p.pool.execute(f"ALTER TABLE training_completions DISABLE {trigger}")
        await p.pool.execute(
            "UPDATE training_completions SET peer_mentor_id = $2 WHERE id = $1", moving, mentors[1]
        )
        await p.pool.execute(f"ALTER TABLE training_completions ENABLE ALWAYS {trigger}")
        p.ensure_a_worker()

        async def is_told() -> bool:
            return await open_kinds(p, but=OF_WAITING) == ["value_missing"]

        await p.until(is_told, what="the alert")
        assert await p.award(mentors[1], badge) is None

        p.log = await resnapshot(p.site)

        await p.settle()
        assert await p.award(mentors[1], badge) is not None
        await all_closed(p)
        await p.verify()

    rig.run(test)
