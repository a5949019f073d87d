"""Everything at once, by seed: random rows and rules while workers are killed, paused and joined.

Meanwhile a trigger of the application refuses, now and then, some of what they write. Afterwards
all that was decided is what the reference, `badges replay` and `badges audit` say, each by itself;
and replay makes the same of a database that has lost it, before and after a new generation.

BADGES_SEEDS says how many seeds are run, each on a log of its own that begins with rows.
"""

import asyncio
import os
from pathlib import Path
from random import Random

import pytest

from sinks.pool import Pool
from streams.log import generations
from tests import often_checkpoints
from tests.integration.commands import answer
from tests.integration.connections import end_sessions
from tests.integration.load import Load, going_on
from tests.integration.operations import Operations
from tests.integration.pipeline import Pipeline, pipeline
from tests.integration.recomputed import nothing_to_mend, replay_fills_a_copy
from tests.integration.workers import Worker
from tests.seeds import seeds
from tests.stack import Stack

SEEDS = len(seeds(2))
FIRST_SEED = int(os.environ.get("BADGES_FIRST_SEED", "0"))
FOUND_ROWS = 60
"""Transactions before the log begins."""

REFUSES = """
CREATE TABLE refuses (badge uuid PRIMARY KEY);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF session_user = 'badges_worker' AND EXISTS (
        SELECT FROM public.refuses
        WHERE badge = coalesce(NEW.badge_definition_id, OLD.badge_definition_id))
    THEN
        RAISE EXCEPTION 'the application wants no such award now';
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER refuse AFTER INSERT OR UPDATE OR DELETE ON badge_awards
    FOR EACH ROW EXECUTE FUNCTION refuse();
"""
"""An application that refuses the awards of some badges, which are listed in `refuses`."""


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_workers_die_at_random_and_every_award_is_right(
    stack: Stack, seed: int, tmp_path: Path
) -> None:
    # In half of the runs what workers hold is read from the log alone.
    settings = {"BADGES_CHECKPOINTS": str(tmp_path / "kept") if seed % 2 else ""}
    operations = Operations(1000 + seed)

    async def before(pool: Pool) -> None:
        """The beginning of the story: the log starts with rows, and awards given by hand."""
        await pool.execute(REFUSES)
        for sql, values in operations.setup():
            await pool.execute(sql, *values)
        for _, transaction in zip(range(FOUND_ROWS), operations.transactions(), strict=False):
            for sql, values in transaction:
                await pool.execute(sql, *values)

    async def test(p: Pipeline) -> None:
        random = Random(f"faults {seed}")
        workers = [p.worker(**settings), p.worker(**settings)]
        for worker in workers:
            worker.module = often_checkpoints.__name__
        await p.at_work(workers[0])
        async with going_on(p, operations) as going:
            for _ in range(4):
                await going.more(random.randint(5, 40))
                await something_happens(p, random, workers, going)
            p.ensure_a_worker()
            # While rows come and some of them are refused.
            await nothing_to_mend(p)
            await p.pool.execute("DELETE FROM refuses")
        await nothing_to_mend(p)
        await replay_fills_a_copy(p)
        await answer(p, "resnapshot")
        live = await generations.live(p.pool)
        assert live is not None
        p.log = live
        await p.settle()
        await nothing_to_mend(p)
        # An award that was there as the log began is held as found, and the log has no evidence.
        await replay_fills_a_copy(p, unsaid=["evidence"])

    with pipeline(stack, before) as rig:
        rig.run(test)


async def something_happens(
    p: Pipeline, random: Random, workers: list[Worker], going: Load
) -> None:
    """One fault of a worker, one worker more, a cut connection, or an act of somebody else."""
    worker = random.choice(workers)
    what = random.choice(["kill", "kill and start", "pause", "end", "cut", "edit"])
    if random.random() < 0.5:
        await p.pool.execute("DELETE FROM refuses")
        await p.pool.execute(
            "INSERT INTO refuses SELECT id FROM badge_definitions "
            "WHERE hashtext(id::text || $1::text) % 2 = 0",
            str(random.random()),
        )
    if not worker.runs:
        worker.start()
    elif what in ("kill", "kill and start"):
        await asyncio.to_thread(worker.kill)
        if what == "kill and start":
            worker.start()
    elif what == "pause":
        await asyncio.to_thread(worker.pause)
        await going.more(random.randint(5, 80))
        worker.resume()
    elif what == "end":
        await asyncio.to_thread(worker.ask_to_end)
    elif what == "cut":
        await end_sessions(p)
    else:
        await going.commit(going.operations.edit())
