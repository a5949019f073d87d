"""What was missed while the source was another one stays missed, until a new log is filled."""

from collections.abc import Awaitable, Callable
from uuid import UUID

import pytest

from schema.check import check
from sinks.pool import Executor
from streams.errors import Failure
from streams.filling import provisioning
from streams.filling.provisioning import resnapshot
from streams.log import generations
from tests.integration.alerts import all_closed, only, told
from tests.integration.pipeline import Pipeline, Rig, count_of

COLUMNS = "(id, peer_mentor_id, activity_type, activity_date, duration_minutes)"


async def copy_in_its_place(p: Pipeline, mentor: UUID) -> None:
    """What those do who want to change a big table without locking it for long."""
    await p.pool.execute(
        """
        BEGIN;
        CREATE TABLE activities_new (LIKE activities INCLUDING ALL);
        INSERT INTO activities_new SELECT * FROM activities;
        ALTER TABLE activities_new ADD FOREIGN KEY (peer_mentor_id) REFERENCES peer_mentors
            ON DELETE CASCADE ON UPDATE CASCADE;
        ALTER TABLE activities RENAME TO activities_old;
        ALTER INDEX activities_mentor_identity_idx RENAME TO activities_old_identity_idx;
        ALTER TABLE activities_new RENAME TO activities;
        COMMIT;
        """
    )
    await three_more(p.pool, mentor)


async def drop_a_column(p: Pipeline, mentor: UUID) -> None:
    """The publication's list names the column, so CASCADE takes the whole table out of it."""
    await p.pool.execute("ALTER TABLE activities DROP COLUMN duration_minutes CASCADE")
    await three_more(p.pool, mentor)


async def out_and_in_again(p: Pipeline, mentor: UUID) -> None:
    """In one transaction, so that no look sees the table missing."""
    publication = f"{p.site.prefix}_mentor_log"
    async with p.pool.acquire() as connection, connection.transaction():
        await connection.execute(f"ALTER PUBLICATION {publication} DROP TABLE activities")
        await three_more(connection, mentor)
        await connection.execute(f"ALTER PUBLICATION {publication} ADD TABLE activities {COLUMNS}")


async def out_for_a_while(p: Pipeline, mentor: UUID) -> None:
    """Long enough to be seen, and then mended as people would."""
    publication = f"{p.site.prefix}_mentor_log"
    await p.pool.execute(f"ALTER PUBLICATION {publication} DROP TABLE activities")
    await three_more(p.pool, mentor)
    await told(p, "source_changed")
    await p.pool.execute(f"ALTER PUBLICATION {publication} ADD TABLE activities {COLUMNS}")


async def three_more(database: Executor, mentor: UUID) -> None:
    await database.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "SELECT gen_random_uuid(), $1, 'visit', date '2026-02-01' + n FROM generate_series(1, 3) n",
        mentor,
    )


async def mend(p: Pipeline) -> None:
    """Do what `migrate --check` says, until it has nothing left to say but `badges resnapshot`."""
    for _ in range(20):
        left = [
            each
            for each in await check(p.site.connection, prefix=p.site.prefix)
            if each.statement != "badges resnapshot"
        ]
        if not left:
            return
        await p.site.connection.execute(left[0].statement)
    raise AssertionError(f"still to be mended: {left}")


@pytest.mark.parametrize(
    ("damage", "text"),
    [
        (copy_in_its_place, "public.activities is another table"),
        (drop_a_column, "public.activities is not in the publication any more"),
        (out_for_a_while, "public.activities is not in the publication any more"),
        (out_and_in_again, "public.activities was taken out of the publication and added again"),
    ],
)
def test_a_gap_stays_one_after_mending_and_one_resnapshot_counts_every_row(
    own: Rig, damage: Callable[[Pipeline, UUID], Awaitable[None]], text: str
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(4))
        await p.activity(mentor, "2026-01-10")
        p.ensure_a_worker()
        await p.settle()
        old = p.log

        await damage(p, mentor)

        assert text in await only(p, "source_changed")
        await mend(p)
        noted = await generations.find(p.site.connection, old.log_id)
        assert noted is not None
        assert noted.state == "broken"
        with pytest.raises(Failure, match="`badges resnapshot`"):
            await provisioning.provision(p.site)
        assert await p.award(mentor, badge) is None

        p.log = await resnapshot(p.site)

        await p.settle()
        stats = await p.stats(mentor)
        assert stats is not None
        assert stats["activity_count"] == 4
        assert await p.award(mentor, badge) is not None
        await p.verify()
        await all_closed(p)
        assert await check(p.site.connection, prefix=p.site.prefix) == []

    own.run(test)
