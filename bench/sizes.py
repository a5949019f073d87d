"""What rows and awards cost on their way, in bytes and in records a second: for docs/scale.md.

The rows are those of the backlog section, and so are the eight awards of each mentor.
"""

import asyncio
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from msgspec import Struct

from bench.backlog import (
    ACTIVITIES,
    DECIDED,
    PATIENCE,
    before,
    fill,
    processor_time,
    spent_so_far,
)
from bench.figures import Figure
from bench.live import PARTITIONS, insert, mentor_id
from bench.site import Bench
from streams.log.wal import insert_lsn
from tests.integration.pipeline import Pipeline, pipeline
from tests.integration.workers import Worker

A_SECOND = 200
"""Single inserts while everything runs: what a row takes of each part, little at a time."""

_SIZE = "SELECT sum(pg_total_relation_size(name::regclass))::bigint FROM unnest($1::text[]) AS name"
_COUNT = "SELECT count(*) FROM badge_awards"


class _Sizes(Struct, frozen=True):
    """Bytes of each, the connector's records a second, and a live row's microseconds by part."""

    connector: float
    record: float
    row: float
    wal: float
    single_wal: float
    award: float
    award_wal: float
    stats: float
    live: Mapping[str, float]


def measure(bench: Bench) -> list[Figure]:
    """Fill the log while no worker runs, have everything decided, then commit row by row."""
    mentors, singles = bench.size(2_500, 250), bench.size(5_000, 500)
    data = bench.stack.infra.layout.run_dir / "kafka" / "data"
    with pipeline(
        bench.stack, before=partial(before, mentors=mentors), partitions=PARTITIONS
    ) as rig:
        found = rig.run(partial(_weigh, mentors=mentors, singles=singles, data=data))
    return [
        Figure("connector_rate", found.connector, "records/s", "Postgres to Kafka, no worker runs"),
        Figure("record_bytes", found.record, "bytes", "of an activity in Kafka's files"),
        Figure("row_bytes", found.row, "bytes", "of an activity in its table, indexes included"),
        Figure("wal_bytes", found.wal, "bytes", "of WAL for an activity, many in a transaction"),
        Figure("wal_bytes_single", found.single_wal, "bytes", "the same, one in a transaction"),
        Figure("award_bytes", found.award, "bytes", "of an award with its event, with indexes"),
        Figure("award_wal_bytes", found.award_wal, "bytes", "of WAL for all that an award takes"),
        Figure("stats_bytes", found.stats, "bytes", "of a mentor's statistics, with indexes"),
        *(
            Figure(
                f"live_cpu_{part}", cost, "us/row", f"processor time, {A_SECOND} inserts a second"
            )
            for part, cost in found.live.items()
        ),
    ]


async def _weigh(pipe: Pipeline, mentors: int, singles: int, data: Path) -> _Sizes:
    rows, people = mentors * ACTIVITIES, await pipe.log_size()
    small, wal, began = _topic_size(data, pipe), await insert_lsn(pipe.pool), time.monotonic()
    ends = await fill(pipe, mentors)
    seconds, filled = time.monotonic() - began, await insert_lsn(pipe.pool)
    record = (_topic_size(data, pipe) - small) / (sum(ends) - people)
    row = await _size(pipe, "activities") / rows

    worker = pipe.worker()
    worker.start()
    decided = partial(pipe.pool.fetchval, DECIDED, pipe.log.log_id, ends)
    await pipe.until(decided, PATIENCE, "the last turn")
    awards, written = await pipe.pool.fetchval(_COUNT), await insert_lsn(pipe.pool)
    award = await _size(pipe, "badge_awards", "badge_award_events") / awards
    stats = await _size(pipe, "peer_mentor_stats") / mentors

    live = await _live(pipe, worker, mentors, singles)
    worker.end()
    before_singles = await insert_lsn(pipe.pool)
    for number in range(singles):
        await insert(pipe.pool, mentor_id(number % mentors))
    single_wal = (await insert_lsn(pipe.pool) - before_singles) / singles
    return _Sizes(
        connector=rows / seconds,
        record=record,
        row=row,
        wal=(filled - wal) / rows,
        single_wal=single_wal,
        award=award,
        award_wal=(written - filled) / awards,
        stats=stats,
        live=live,
    )


async def _live(pipe: Pipeline, worker: Worker, mentors: int, inserts: int) -> Mapping[str, float]:
    """Microseconds of each part for a row that is committed alone, and decided at once."""
    await pipe.settle(PATIENCE)
    clock, began = asyncio.get_running_loop().time, asyncio.get_running_loop().time()
    spent = _spent(pipe, worker)
    for number in range(inserts):
        await asyncio.sleep(began + number / A_SECOND - clock())
        await insert(pipe.pool, mentor_id(number % mentors))
    await pipe.settle(PATIENCE)
    return {part: (now - spent[part]) / inserts * 1e6 for part, now in _spent(pipe, worker).items()}


def _spent(pipe: Pipeline, worker: Worker) -> Mapping[str, float]:
    connect = processor_time(pipe.stack.process("connect"))
    return {**spent_so_far(pipe, worker), "connect": connect}


def _topic_size(data: Path, pipe: Pipeline) -> int:
    """Bytes of the log's segments, as the broker keeps them."""
    return sum(file.stat().st_size for file in data.glob(f"{pipe.log.topic}-*/*.log"))


async def _size(pipe: Pipeline, *tables: str) -> int:
    return int(await pipe.pool.fetchval(_SIZE, list(tables)))
