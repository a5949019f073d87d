"""A connector that calls itself RUNNING and sends nothing is told, by worker and `provision`."""

from datetime import datetime
from functools import partial

from tests.integration import commands
from tests.integration.alerts import all_closed, told
from tests.integration.pipeline import Pipeline, Rig

AT = "SELECT at FROM badge_heartbeats"


async def waiting(p: Pipeline, what: str) -> int | None:
    """The session of the connector's heartbeat, while it waits for something of that kind."""
    pid: int | None = await p.pool.fetchval(
        "SELECT pid FROM pg_stat_activity WHERE datname = current_database() "
        "AND usename = 'badges_connect' AND query ~ 'UPDATE public.badge_heartbeats' "
        "AND state = 'active' AND wait_event_type = $1",
        what,
    )
    return pid


async def beats(p: Pipeline, before: datetime) -> bool:
    return bool(await p.pool.fetchval(AT) > before)


def test_rows_arrive_while_somebody_holds_the_heartbeats_row(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        holder = await p.connect()
        async with holder.transaction():
            await holder.execute("SELECT FROM badge_heartbeats FOR UPDATE")
            await p.until(lambda: waiting(p, "Lock"), what="that the heartbeat waits")

            await p.settle()
        await holder.close()

        # And the heartbeat goes on by itself.
        await p.until(partial(beats, p, await p.pool.fetchval(AT)), what="the next heartbeat")
        await all_closed(p, "connector_idle")

    working.run(test)


def test_a_connector_that_hangs_is_an_alert_and_no_log_that_is_whole(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        await p.pool.execute(
            """
            CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
                'BEGIN PERFORM pg_sleep(3600); RETURN NEW; END';
            CREATE TRIGGER hang BEFORE UPDATE ON badge_heartbeats
                FOR EACH ROW EXECUTE FUNCTION hang()
            """
        )
        await p.until(lambda: waiting(p, "Timeout"), what="that the heartbeat hangs")
        command = await commands.Command(p, "provision").start()

        detail = await told(p, "connector_idle")
        assert "is RUNNING but sends nothing" in detail["message"]
        code, out, err = await command.end()
        assert code == 1
        assert "runs but sends nothing" in err
        assert "live and whole" not in out

        await p.pool.execute(
            "CREATE OR REPLACE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql "
            "AS 'BEGIN RETURN NEW; END'"
        )

        before = await p.pool.fetchval(AT)

        async def beats_when_woken() -> bool:
            """Whether one came; a task that began anew may have left another one asleep."""
            if sleeper := await waiting(p, "Timeout"):
                await p.pool.execute("SELECT pg_cancel_backend($1)", sleeper)
            return await beats(p, before)

        await p.until(beats_when_woken, what="the next heartbeat")
        await p.settle()
        await all_closed(p, "connector_idle")
        code, out, err = await (await commands.Command(p, "provision").start()).end()
        assert code == 0, err
        assert "live and whole" in out
        await p.pool.execute("DROP TRIGGER hang ON badge_heartbeats; DROP FUNCTION hang()")

    working.run(test)
