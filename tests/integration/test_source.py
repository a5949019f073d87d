"""What changes about the source is told, and nothing is decided wrongly by it."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import replace as replace_site
from typing import Any

import pytest
from msgspec.structs import replace

from schema import apply, history, migrations
from schema.check import check
from schema.differences import Deviation
from sinks.pool import Connection
from streams.errors import Failure
from streams.filling import provisioning
from streams.log import generations
from streams.log.fingerprint import SOURCES
from streams.log.integrity import Integrity
from tests.log_site import add_activities, add_mentor, own_site, verdict
from tests.own_site import OwnSite
from tests.stack import Stack


def run(test: Coroutine[Any, Any, None]) -> None:
    asyncio.run(test)


def of_source(differences: list[Deviation]) -> list[str]:
    """The statements that `migrate --check` prints about the tables and the log."""
    return [each.statement for each in differences]


USING = "ALTER TABLE public.{0} REPLICA IDENTITY USING INDEX {0}_mentor_identity_idx;"


def test_every_renamed_column_is_told_and_mends(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            assert set(live.columns) == {*SOURCES, "badge_heartbeats"}
            for table in SOURCES:
                for column in live.columns[table]:
                    await site.connection.execute(
                        f"ALTER TABLE {table} RENAME COLUMN {column} TO other"
                    )
                    back = f'ALTER TABLE public.{table} RENAME COLUMN "other" TO "{column}";'

                    found = await verdict(integrity)

                    assert found is not None
                    assert (found.kind, found.lasting) == ("column_renamed", False)
                    assert f"column {column} of public.{table} is called other now" in str(found)
                    assert back in str(found)
                    assert of_source(await check(site.connection, prefix=site.prefix)) == [back]
                    with pytest.raises(Failure, match=f"public.{table}.{column} is called other"):
                        await migrate(site)
                    await site.connection.execute(back)
                    assert await verdict(integrity) is None
            assert await check(site.connection, prefix=site.prefix) == []

    run(test())


async def migrate(site: OwnSite) -> apply.Report:
    return await apply.migrate(site.connection, prefix=site.prefix, role_passwords={})


async def copy_in_its_place(connection: Connection, _: OwnSite) -> None:
    await connection.execute(
        """
        CREATE TABLE activities_copy (LIKE activities INCLUDING ALL);
        INSERT INTO activities_copy SELECT * FROM activities;
        ALTER TABLE activities RENAME TO activities_old;
        ALTER TABLE activities_copy RENAME TO activities;
        """
    )


async def drop_a_column(connection: Connection, _: OwnSite) -> None:
    await connection.execute("ALTER TABLE activities DROP COLUMN duration_minutes CASCADE")


async def drop_the_publication(connection: Connection, site: OwnSite) -> None:
    await connection.execute(f"DROP PUBLICATION {site.prefix}_mentor_log")


async def publish_again(connection: Connection, site: OwnSite) -> None:
    publication = f"{site.prefix}_mentor_log"
    await connection.execute(  # one transaction, in which nobody sees it half done
        f"ALTER PUBLICATION {publication} DROP TABLE activities; "
        f"ALTER PUBLICATION {publication} ADD TABLE activities "
        "(id, peer_mentor_id, activity_type, activity_date, duration_minutes)"
    )


async def filter_rows(connection: Connection, site: OwnSite) -> None:
    await connection.execute(
        f"ALTER PUBLICATION {site.prefix}_mentor_log DROP TABLE mentor_pauses; "
        f"ALTER PUBLICATION {site.prefix}_mentor_log ADD TABLE mentor_pauses "
        "(id, peer_mentor_id, starts_on, ends_on) WHERE (id IS NOT NULL)"
    )


async def publish_less(connection: Connection, site: OwnSite) -> None:
    await connection.execute(
        f"ALTER PUBLICATION {site.prefix}_mentor_log SET (publish = 'insert, update')"
    )


async def disable_our_trigger(connection: Connection, _: OwnSite) -> None:
    await connection.execute("ALTER TABLE activities DISABLE TRIGGER badges_delete_before_truncate")


async def drop_our_trigger(connection: Connection, _: OwnSite) -> None:
    await connection.execute("DROP TRIGGER badges_delete_before_truncate ON activities")


async def drop_a_table(connection: Connection, _: OwnSite) -> None:
    await connection.execute("DROP TABLE mentor_pauses CASCADE")


async def swap_names(connection: Connection, _: OwnSite) -> None:
    await connection.execute(
        "ALTER TABLE activities RENAME duration_minutes TO old_minutes; "
        "ALTER TABLE activities ADD COLUMN duration_minutes int"
    )


async def default_identity(connection: Connection, _: OwnSite) -> None:
    await connection.execute("ALTER TABLE activities REPLICA IDENTITY DEFAULT")


@pytest.mark.parametrize(
    ("damage", "kind", "text"),
    [
        (copy_in_its_place, "source_changed", "public.activities is another table"),
        (drop_a_column, "source_changed", "public.activities is not in the publication any more"),
        (drop_the_publication, "source_changed", "_mentor_log is gone"),
        (publish_again, "source_changed", "public.activities was taken out of the publication"),
        (filter_rows, "source_changed", "public.mentor_pauses was taken out of the publication"),
        (publish_less, "source_changed", "publishes insert, update instead of"),
        (disable_our_trigger, "source_changed", "badges_delete_before_truncate of public.activit"),
        (drop_our_trigger, "source_changed", "of public.activities is gone"),
        (drop_a_table, "source_changed", "there is no table public.mentor_pauses any more"),
        (swap_names, "source_changed", "another column has its name"),
        (default_identity, "replica_identity", USING.format("activities")),
    ],
)
def test_a_gap_in_the_source_lasts(
    stack: Stack,
    database_url: str,
    damage: Callable[[Connection, OwnSite], Awaitable[None]],
    kind: str,
    text: str,
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            await add_mentor(site.connection, activities=3)
            live = await provisioning.provision(site)
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            assert await verdict(integrity) is None
            before = await check(site.connection, prefix=site.prefix)
            assert before == []

            await damage(site.connection, site)
            statements = of_source(await check(site.connection, prefix=site.prefix))
            # Told before anybody has looked, and after.
            assert "badges resnapshot" in statements
            found = await verdict(integrity)

            assert found is not None
            assert (found.kind, found.lasting) == (kind, True)
            assert text in str(found)
            noted = await generations.find(site.connection, live.log_id)
            assert noted is not None
            assert (noted.state, noted.reason) == ("broken", str(found))
            opened = await site.connection.fetch("SELECT kind FROM badge_alerts")
            assert [row["kind"] for row in opened] == [kind]
            with suppress(Failure):
                await migrate(site)
            with pytest.raises(Failure, match="is broken") as refused:
                await provisioning.provision(site)
            assert refused.value.code == 1
            assert "badges resnapshot" in of_source(
                await check(site.connection, prefix=site.prefix)
            )

    run(test())


@pytest.mark.parametrize(
    "damage", [drop_the_publication, disable_our_trigger, drop_our_trigger, default_identity]
)
def test_what_migrate_mends_stays_a_gap(
    stack: Stack, database_url: str, damage: Callable[[Connection, OwnSite], Awaitable[None]]
) -> None:
    # The worker does not run, so nobody else has seen what was there in between.
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            await damage(site.connection, site)

            report = await migrate(site)

            assert [difference.statement for difference in report.left] == ["badges resnapshot"]
            noted = await generations.find(site.connection, live.log_id)
            assert noted is not None
            assert noted.state == "broken"
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            found = await verdict(integrity)
            assert found is not None
            assert (found.kind, str(found)) == ("log_broken", noted.reason)
            assert len(await site.connection.fetch("SELECT FROM badge_alerts")) == 1
            with pytest.raises(Failure, match="is broken"):
                await provisioning.provision(site)

    run(test())


def test_what_migrate_changes_itself_is_no_gap(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            # A generation from before fingerprints were taken, in a database of that time.
            await site.connection.execute(
                """
                ALTER TABLE badge_logs DROP COLUMN columns, DROP COLUMN fingerprint;
                DELETE FROM supabase_migrations.schema_migrations WHERE version > '20261124999999';
                """
            )
            report = await migrate(site)
            assert report.applied
            assert report.left == ()
            upgraded = await generations.live(site.connection)
            assert upgraded is not None
            # What was filled before awards had dates does not publish them.
            assert "earned_on" in live.columns["badge_awards"]
            assert "earned_on" not in upgraded.columns["badge_awards"]
            assert replace(upgraded, columns=live.columns) == live
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            assert await verdict(integrity) is None

            # Made again where it was missing, with the publication's row for the table.
            await site.connection.execute("DROP POLICY badges_connect_all ON activities")
            assert (await migrate(site)).left == ()
            assert await verdict(integrity) is None

            await publish_again(site.connection, site)
            found = await verdict(integrity)
            assert found is not None
            assert found.kind == "source_changed"

    run(test())


def test_a_column_that_others_migrations_publish_is_no_gap(stack: Stack, database_url: str) -> None:
    """As the Supabase CLI applies a file: nobody but the file takes the fingerprint anew."""

    async def test() -> None:
        async with own_site(stack, database_url) as site:
            await cut_down(site)
            live = await provisioning.provision(site)
            assert "tier_version" not in live.columns["badge_awards"]
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            assert await verdict(integrity) is None
            (brought,) = [each for each in migrations.load() if "tier_version" in each.name]
            await site.connection.execute(f"SET badges.prefix = '{site.prefix}'")
            for _ in range(2):
                await site.connection.execute(brought.sql)
                assert await verdict(integrity) is None
            assert await check(site.connection, prefix=site.prefix) == []

            # What happened to the table before is a gap, whatever a migration publishes.
            await cut_down(site)
            await site.connection.execute(brought.sql)
            found = await verdict(integrity)
            assert found is not None
            assert found.kind == "source_changed"

    async def cut_down(site: OwnSite) -> None:
        publication = f"{site.prefix}_mentor_log"
        await site.connection.execute(
            f"ALTER PUBLICATION {publication} DROP TABLE badge_awards; "
            f"ALTER PUBLICATION {publication} ADD TABLE badge_awards (id, peer_mentor_id, "
            "badge_definition_id, earned_at, earned_on, definition_version, tier, tier_earned_at, "
            "tier_earned_on, awarded_by, revoked_by, changed_by)"
        )

    run(test())


def test_a_log_whose_migrations_others_applied_is_watched_from_the_next_provision_on(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as opened:
            said: list[str] = []
            site = replace_site(opened, say=said.append)
            live = await provisioning.provision(site)
            older = "20261124999999"
            await site.connection.execute(
                f"""
                ALTER TABLE badge_logs DROP COLUMN columns, DROP COLUMN fingerprint;
                DELETE FROM supabase_migrations.schema_migrations WHERE version > '{older}';
                """
            )
            await apply_as_others_do(site, older)
            assert await check(site.connection, prefix=site.prefix) == []

            for _ in range(2):
                assert (await provisioning.provision(site)).log_id == live.log_id

            (recorded,) = [line for line in said if "what it is read from" in line]
            assert recorded.startswith("Generation 1: what it is read from was not recorded")
            await publish_again(site.connection, site)
            with pytest.raises(Failure, match="activities was taken out of the publication"):
                await provisioning.provision(site)

    run(test())


async def apply_as_others_do(site: OwnSite, after: str) -> None:
    """Apply migrations as the Supabase CLI does: statement by statement, and noted as applied."""
    await site.connection.execute("SELECT set_config('badges.prefix', $1, false)", site.prefix)
    for migration in migrations.load():
        if migration.version > after:
            for statement in migration.statements:
                await site.connection.execute(statement)
            await history.record(site.connection, migration)


def test_what_the_application_does_with_its_own_is_no_finding(
    stack: Stack, database_url: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            mentor = await add_mentor(site.connection, activities=2)
            live = await provisioning.provision(site)
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            await site.connection.execute(
                """
                ALTER TABLE activities ADD COLUMN mood text DEFAULT 'good';
                ALTER TABLE activities RENAME COLUMN mood TO temper;
                ALTER TABLE activities RENAME COLUMN created_at TO made_at;
                ALTER TABLE activities RENAME COLUMN made_at TO created_at;
                ALTER TABLE activities DROP COLUMN temper;
                CREATE INDEX theirs ON activities (activity_date);
                CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql
                    AS 'BEGIN RETURN NEW; END';
                CREATE TRIGGER theirs BEFORE INSERT ON activities
                    FOR EACH ROW EXECUTE FUNCTION theirs();
                ALTER TABLE activities ENABLE ROW LEVEL SECURITY;
                CREATE POLICY theirs ON activities USING (true);
                ALTER TABLE peer_mentors ADD COLUMN phone text;
                ALTER TABLE activities ADD CONSTRAINT theirs CHECK (duration_minutes < 2000);
                CREATE PUBLICATION theirs FOR TABLE organizations;
                """
            )
            await add_activities(site.connection, mentor, 1)
            assert await verdict(integrity) is None
            assert await check(site.connection, prefix=site.prefix) == []

    run(test())


@pytest.mark.parametrize(
    ("statement", "table"),
    [
        ("ALTER TABLE activities REPLICA IDENTITY FULL", "activities"),
        ("ALTER TABLE mentor_pauses REPLICA IDENTITY FULL", "mentor_pauses"),
        ("ALTER TABLE badge_awards REPLICA IDENTITY NOTHING", "badge_awards"),
        ("DROP INDEX training_completions_mentor_identity_idx", "training_completions"),
        ("ALTER TABLE peer_mentors REPLICA IDENTITY FULL", "peer_mentors"),
    ],
)
def test_an_identity_that_refuses_writes_is_told_with_the_statement_that_mends_it(
    stack: Stack, database_url: str, statement: str, table: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            live = await provisioning.provision(site)
            integrity = Integrity(live, site.connection, site.cluster, site.connect)
            await site.connection.execute(statement)

            found = await verdict(integrity)

            assert found is not None
            assert (found.kind, found.lasting) == ("replica_identity", False)
            right = "ALTER TABLE public.peer_mentors REPLICA IDENTITY DEFAULT;"
            if table != "peer_mentors":
                right = USING.format(table)
            assert right in str(found)
            differences = await check(site.connection, prefix=site.prefix)
            mending = next(d for d in differences if "identity" in d.where)
            assert right in mending.statement
            await site.connection.execute(mending.statement)
            assert await verdict(integrity) is None
            assert await check(site.connection, prefix=site.prefix) == []

    run(test())
