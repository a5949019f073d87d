"""Workers that begin from checkpoints: killed while one is written, and where files are damaged."""

import asyncio
from itertools import cycle
from pathlib import Path
from random import Random
from typing import Any

from tests import often_checkpoints
from tests.integration.load import load
from tests.integration.pipeline import Pipeline, Rig
from tests.integration.workers import LONG_SESSION, Worker

LOADED, PASSED_OVER = "checkpoint loaded", "checkpoint passed over"


def files(directory: Path, pattern: str = "*.checkpoint") -> list[Path]:
    return sorted(directory.glob(pattern))


async def caught_up(p: Pipeline, worker: Worker) -> None:
    """Return when the worker holds what every partition has come to."""

    async def has() -> bool:
        return partitions_of(worker.said("caught up")) >= p.log.partitions

    await p.until(has, what="all partitions")


def test_a_worker_killed_while_it_writes_checkpoints_goes_on(unmanned: Rig, tmp_path: Path) -> None:
    directory, random = tmp_path / "kept", Random(5)

    async def test(p: Pipeline) -> None:
        worker = p.worker(BADGES_CHECKPOINTS=str(directory))
        worker.module = often_checkpoints.__name__
        await p.at_work(worker)
        loaded = rounds = 0
        left: set[Path] = set()

        async def is_writing() -> bool:
            one_each = len(files(directory)) == p.log.partitions
            return one_each and not left >= {*files(directory, "*.writing")}

        async with load(p, 21) as going:
            # One that was whole by the time of the kill leaves nothing.
            while rounds < 3 or (rounds < 20 and not left):
                rounds += 1
                await going.more(random.randint(10, 40))
                await p.until(is_writing, what="a checkpoint that is being written")
                await asyncio.to_thread(worker.kill)
                left = set(files(directory, "*.writing"))
                worker.start()
                await caught_up(p, worker)
                assert not worker.said(PASSED_OVER)
                loaded += len(worker.said(LOADED))
        assert loaded > p.log.partitions
        assert left

    unmanned.run(test)


def flipped(content: bytes) -> bytes:
    place = len(content) // 2
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def torn(content: bytes) -> bytes:
    return content[: len(content) // 2]


async def all_kept(p: Pipeline, worker: Worker, directory: Path) -> list[Path]:
    """What a worker has left behind, ended in good order: a checkpoint of each partition.

    It takes two seconds for that at most, which on a busy machine are not always enough.
    """
    for _ in range(5):
        assert await asyncio.to_thread(worker.ask_to_end) == 0
        if len(files(directory)) == p.log.partitions:
            return files(directory)
        for path in files(directory):
            path.unlink()
        worker.start()
        await caught_up(p, worker)
    raise AssertionError(f"{directory} has no checkpoint of each partition")


def partitions_of(said: list[dict[str, Any]]) -> int:
    """Of how many partitions something is said; of one that was read again, more than once."""
    return len({line["partition"] for line in said})


def test_damaged_files_cost_time_alone(unmanned: Rig, tmp_path: Path) -> None:
    directory = tmp_path / "kept"

    async def test(p: Pipeline) -> None:
        worker = p.worker(BADGES_CHECKPOINTS=str(directory), **LONG_SESSION)
        async with load(p, 22) as going:
            await p.at_work(worker)
            await going.more(60)
        kept = await all_kept(p, worker, directory)
        assert {path.stat().st_mode & 0o777 for path in kept} == {0o600}

        worker.start()
        await caught_up(p, worker)
        assert partitions_of(worker.said(LOADED)) == len(kept)
        await asyncio.to_thread(worker.kill)

        for path, damaged in zip(kept, cycle([flipped, torn]), strict=False):
            path.write_bytes(damaged(path.read_bytes()))
        async with load(p, 23) as going:
            worker.start()
            await going.more(30)
        await caught_up(p, worker)
        assert partitions_of(worker.said(PASSED_OVER)) == len(kept)
        assert not worker.said(LOADED)

    unmanned.run(test)


def test_a_directory_that_is_lost_meanwhile_is_made_again(unmanned: Rig, tmp_path: Path) -> None:
    directory = tmp_path / "kept"

    async def test(p: Pipeline) -> None:
        worker = p.worker(BADGES_CHECKPOINTS=str(directory))
        worker.module = often_checkpoints.__name__
        await p.at_work(worker)
        async with load(p, 24) as going:
            await going.more(30)

            async def is_there() -> bool:
                return bool(files(directory))

            await p.until(is_there, what="a directory")
            directory.rename(tmp_path / "away")
            await p.until(is_there, what="another directory")
            await asyncio.to_thread(worker.kill)
            worker.start()

    unmanned.run(test)
