"""Awards arrive where the application's tables have row-level security, and where they would not,
that is told.
"""

from collections.abc import AsyncIterator
from uuid import uuid4

import asyncpg
import pytest

from schema import apply, migrations
from schema.check import check
from schema.wanted import SOURCE
from sinks.errors import Unavailable
from sinks.pool import Connection
from streams.errors import Failure
from tests.contract.builders import grant, stats_of
from tests.contract.worlds import PostgresWorld
from tests.integration.schema import application
from tests.patience import patient_pool

pytestmark = pytest.mark.anyio

OWNER = "application"


@pytest.fixture
async def owned(empty_db: Connection) -> AsyncIterator[Connection]:
    """The application's tables, with row-level security and a policy that shows nobody anything.

    The connection acts as their owner, who is no superuser, and has no right to bypass policies.
    """
    await empty_db.execute(migrations.load()[0].sql)
    await empty_db.execute("DROP SCHEMA badges_private CASCADE")
    database = await empty_db.fetchval("SELECT current_database()")
    await empty_db.execute(
        f"CREATE ROLE {OWNER}; GRANT CREATE ON DATABASE {database} TO {OWNER}; "
        f"GRANT ALL ON SCHEMA public TO {OWNER}"
    )
    try:
        await empty_db.execute(f"SET ROLE {OWNER}")
        await empty_db.execute(application.TABLES)
        for table in SOURCE:
            await empty_db.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
            await empty_db.execute(f"CREATE POLICY theirs ON {table} USING (false)")
        yield empty_db
    finally:
        await empty_db.execute("RESET ROLE")
        await empty_db.execute(f"DROP OWNED BY {OWNER} CASCADE; DROP ROLE {OWNER}")


async def migrate(db: Connection) -> apply.Report:
    return await apply.migrate(db, prefix="badges", role_passwords={})


async def written(url: str) -> bool:
    """Write a turn with one grant in the worker's role, and say whether it arrived."""
    async with (
        await patient_pool(url, application_name="test") as people,
        await patient_pool(url, role="badges_worker", application_name="test") as worker,
    ):
        organization = str(uuid4())
        await people.execute(
            "INSERT INTO organizations (id, slug, name) VALUES ($1, $1::uuid::text, 'Oslo')",
            organization,
        )
        world = PostgresWorld(people, worker, organization)
        log, mentor, definition = (
            await world.live_log(),
            await world.mentor(),
            await world.definition(),
        )
        decision = grant(log.cause(), mentor, definition)
        try:
            outcome = await world.sink.write(log.turn(decision, stats=[stats_of(mentor)]))
        except Unavailable as refused:
            if refused.sqlstate != asyncpg.InsufficientPrivilegeError.sqlstate:
                raise
            return False
        held = await world.sink.awards(log.log_id, 0, [mentor])
        assert (len(outcome.written), outcome.gone, len(held)) == (1, 0, 1)
        return True


async def test_awards_arrive_where_tables_have_row_level_security(
    owned: Connection, empty_url: str
) -> None:
    assert (await migrate(owned)).left == ()

    assert await written(empty_url)


async def test_force_is_found_after_migrate_and_mended_by_its_statement(
    owned: Connection, empty_url: str
) -> None:
    await migrate(owned)
    await owned.execute("ALTER TABLE peer_mentors FORCE ROW LEVEL SECURITY")
    assert not await written(empty_url), "this is what must not go unseen"

    (difference,) = await check(owned, prefix="badges")
    assert difference.where == "table public.peer_mentors"
    assert "forces row-level security" in difference.found
    with pytest.raises(Failure, match=r"public\.peer_mentors forces row-level security") as caught:
        await migrate(owned)
    assert difference.statement in str(caught.value)

    await owned.execute(difference.statement)
    assert await check(owned, prefix="badges") == []
    assert await written(empty_url)


async def test_a_truncate_of_rows_that_are_hidden_fails(owned: Connection) -> None:
    """The log would say nothing of them."""
    await migrate(owned)
    await owned.execute("ALTER TABLE activities FORCE ROW LEVEL SECURITY")

    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await owned.execute("TRUNCATE activities")


async def test_force_is_found_before_anything_is_changed(owned: Connection) -> None:
    for table in ("badge_definitions", "peer_mentors"):
        await owned.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")

    with pytest.raises(Failure, match="nothing was changed") as caught:
        await migrate(owned)

    for table in ("badge_definitions", "peer_mentors"):
        assert f"CREATE POLICY badges_owner_all ON public.{table}" in str(caught.value)
    assert not await owned.fetchval("SELECT to_regclass('badge_awards') IS NOT NULL")


async def test_a_table_that_another_role_owns_meanwhile_is_found(
    owned: Connection, empty_url: str
) -> None:
    await migrate(owned)
    await owned.execute("RESET ROLE")
    await owned.execute("ALTER TABLE badge_definitions OWNER TO CURRENT_USER")
    await owned.execute(f"GRANT ALL ON badge_definitions TO {OWNER}")
    assert not await written(empty_url)

    (difference,) = await check(owned, prefix="badges")
    assert difference.where == "table public.badge_definitions"
    assert f'hides rows from "{OWNER}"' in difference.found
    await owned.execute(difference.statement)

    assert await check(owned, prefix="badges") == []
    assert await written(empty_url)


async def test_who_bypasses_policies_is_not_told_of_force(db: Connection, url: str) -> None:
    await db.execute("ALTER TABLE peer_mentors ENABLE ROW LEVEL SECURITY")
    await db.execute("ALTER TABLE peer_mentors FORCE ROW LEVEL SECURITY")

    assert await check(db, prefix="badges") == []
    assert await written(url)
