"""Checkpoints: what is loaded goes on as what was dumped, what cannot be used is passed over."""

import asyncio
import os
import stat
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import msgspec.structs
import pytest
import structlog

from sinks.base import Place, Position
from streams import checkpoint_files, checkpointing, checkpoints
from streams.checkpointing import Checkpointing
from streams.checkpoints import Checkpoints
from streams.log_tables import NAMED
from streams.partition import Partition
from streams.recovery import Recovery
from streams.rule_versions import Versions
from tables.dumps import Dump, Load
from tables.ledger import Ledger
from tables.types import Activity, AppliedVersion, Award, Mentor, Pause, TrainingCompletion, Version
from tests.builders import (
    MENTOR,
    Storyteller,
    Took,
    activity,
    generation,
    mentor,
    organization,
)
from tests.doubles.memory_log import MemoryLog
from tests.doubles.memory_sink import MemorySink
from tests.records import Writer
from tests.seeds import seeds
from tests.unit.chaos import LOG, World, run
from tests.unit.partitions import apply_to_all, begun

SEEDS = seeds(40)


def told(world: World, length: int) -> list[tuple[int, list[Version]]]:
    """Fill a world's log with a story; which versions were saved, each before which offset."""
    saved: list[tuple[int, list[Version]]] = []
    for happening in Storyteller(world.random).tell(length):
        if isinstance(happening, Took):
            saved.append((len(world.log.records[0]), list(happening.versions)))
        world._happen(happening)
    return saved


def moved(state: Partition, versions: list[Version]) -> Partition:
    """The same state, dumped and loaded."""
    dump, load = Dump(), Load()
    parts = [dump.part([watchlist.ledger]) for watchlist in state.mentors.values()]
    bookmark = msgspec.msgpack.encode(state.bookmark())
    new = Partition(state.log_id, state.number, state.start)
    new.go_on_from(msgspec.msgpack.decode(bookmark, type=type(state.bookmark())), versions)
    for part in parts:
        new.hold_ledgers(load.part(part))
    assert new.bookmark() == state.bookmark()
    assert new.applied == state.applied
    return new


def decide_alike(seed: int) -> int:
    """Tell a story to a partition that stays, and to one that is dumped and loaded time and again.

    Returns how much they have decided; fails at the first turn in which they differ.
    """
    world = World(seed, unusable=0.2 if seed % 2 else 0.0)
    saved = told(world, 120)
    records = world.log.records[0]
    random, start = Random(seed), seed % 10
    stays, moves = (Partition(LOG, 0, start) for _ in range(2))
    versions: list[Version] = []
    offset, loads, decided = 0, 0, 0
    while offset < len(records):
        end = offset + random.randint(1, 6)
        taken = [each for at, group in saved if at < end for each in group]
        new, versions = taken[len(versions) :], taken
        for state in (stays, moves):
            if new or state.turn == 0:
                apply_to_all(state, new)
            state.excused = NAMED
            assert state.fold(records[offset:end], waiting=False) is None
        turn, letters = stays.close_turn()
        assert moves.close_turn() == (turn, letters)
        offset = end
        decided += len(turn.decisions)
        if random.random() < 0.4:
            moves = moved(moves, versions)
            loads += 1
    assert loads > 5
    return decided


@pytest.mark.parametrize("seed", SEEDS)
def test_what_is_loaded_decides_what_the_one_that_was_dumped_decides(seed: int) -> None:
    decide_alike(seed)


def test_in_the_stories_much_is_decided() -> None:
    assert sum(decide_alike(seed) for seed in range(20)) > 100


def loaded(*ledgers: Ledger) -> list[Ledger]:
    dump, load = Dump(), Load()
    return [again for ledger in ledgers for again in load.part(dump.part([ledger]))]


def test_all_that_a_ledger_was_told_comes_back() -> None:
    ledger = Ledger(MENTOR)
    far = datetime.max.replace(tzinfo=UTC)
    ledger.put_mentor(Mentor(MENTOR, "an organization", False))
    ledger.put_activity(Activity("no uuid", MENTOR, "visit", -2440588, 2**31 - 1))
    ledger.put_activity(Activity("ab", MENTOR, "visit", 2145042905))
    ledger.put_training(TrainingCompletion("t", MENTOR, "basic", 3))
    ledger.put_training(TrainingCompletion("u", MENTOR, "basic", 2))
    ledger.put_pause(Pause("p", MENTOR, 1, None))
    every_field = Award(
        "a", MENTOR, "d", datetime.min.replace(tzinfo=UTC), 1, "gold", far, "anna", "ole", "eva",
        5, 6, 7, 8, 9,
    )  # fmt: skip
    ledger.put_award(every_field)
    ledger.put_award(Award("b", MENTOR, "e", far))
    ledger.remember("no uuid", "visit")
    again, empty = loaded(ledger, Ledger("nobody"))
    assert (again.mentor_id, again.mentor) == (MENTOR, ledger.mentor)
    assert (again.rows, again.newest_day) == (ledger.rows, ledger.newest_day)
    assert (again.trainings, again.completions) == (ledger.trainings, ledger.completions)
    assert (again.pauses, again.held, again.texts) == (ledger.pauses, ledger.held, ledger.texts)
    assert again.stats() == ledger.stats()
    assert empty.empty


@pytest.mark.parametrize(
    "ids",
    [
        ["550e8400-e29b-41d4-a716-446655440000"],
        ["550e8400-e29b-41d4-a716-446655440000", "00000000-0000-0000-0000-000000000001"],
        ["550E8400-E29B-41D4-A716-446655440000"],
        ["550e8400e29b41d4a716446655440000"],
        ["550e8400-e29b-41d4", "a716-446655440000"],
        [" 550e840-e29b-41d4-a716-446655440000"],
        ["", "x,y"],
    ],
)
def test_ids_of_whatever_form_come_back(ids: list[str]) -> None:
    ledger = Ledger(MENTOR)
    for number, each in enumerate(ids):
        ledger.put_activity(Activity(each, MENTOR, "visit", number))
    (again,) = loaded(ledger)
    assert list(again.rows.items()) == list(ledger.rows.items())


def partition_with(*names: str) -> Partition:
    """A partition with one turn written, and these mentors."""
    state = Partition(LOG, 0, 0)
    state.apply([])
    for name in names:
        ledger = Ledger(name)
        ledger.put_mentor(Mentor(name, "o", True))
        state.hold_ledgers([ledger])
    state.close_turn()
    return state


async def keep(kept: Checkpoints, state: Partition) -> bool:
    return await (await kept.keep(state))


async def restored(
    directory: Path, position: Position, log_id: str = LOG, number: int = 0
) -> tuple[Partition | None, list[str]]:
    """What comes of a file, and why nothing does."""
    state = Partition(log_id, number, 0)
    with structlog.testing.capture_logs() as lines:
        kept = Checkpoints(directory, log_id)
        is_filled = await kept.restore(state, position, [], lambda _: [])
    reasons = [str(line.get("reason", line["event"])) for line in lines]
    return (state if is_filled else None), reasons


def written(directory: Path) -> Path:
    """A checkpoint's file."""
    asyncio.run(keep(Checkpoints(directory, LOG), partition_with(MENTOR)))
    (file,) = directory.iterdir()
    return file


def test_a_file_is_its_users_alone(tmp_path: Path) -> None:
    directory = tmp_path / "not" / "there"
    file = written(directory)
    assert stat.S_IMODE(directory.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    state, reasons = asyncio.run(restored(directory, Position(0, 1)))
    assert state is not None
    assert list(state.mentors) == [MENTOR]
    assert reasons == ["checkpoint loaded"]


def flipped(content: bytes) -> bytes:
    place = Random(len(content)).randrange(len(content))
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


@pytest.mark.parametrize(
    "damage",
    [flipped, lambda c: c[:-1], lambda c: c[:10], lambda _: b"", lambda c: c + b"x"],
    ids=["flipped", "torn", "begun", "empty", "longer"],
)
def test_a_damaged_file_is_passed_over(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    file = written(tmp_path / "kept")
    file.write_bytes(damage(file.read_bytes()))
    state, reasons = asyncio.run(restored(file.parent, Position(0, 1)))
    assert state is None
    assert len(reasons) == 1
    assert "torn" in reasons[0] or "another format" in reasons[0]


def test_every_byte_counts(tmp_path: Path) -> None:
    file = written(tmp_path / "kept")
    content = file.read_bytes()
    for place in range(len(content)):
        with pytest.raises(checkpoint_files.Damaged):
            list(checkpoint_files._parts(content[:place]))
        changed = content[:place] + bytes([content[place] ^ 0x40]) + content[place + 1 :]
        with pytest.raises(checkpoint_files.Damaged):
            list(checkpoint_files._parts(changed))


def test_a_file_of_something_else_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path / "kept")
    directory = file.parent

    def reason(position: Position, log_id: str = LOG, number: int = 0) -> str:
        state, reasons = asyncio.run(restored(directory, position, log_id, number))
        assert state is None
        (said,) = reasons
        return said

    assert "no checkpoint" in reason(Position(0, 1), "another")
    (directory / "another-1.checkpoint").write_bytes(file.read_bytes())
    assert "another log" in reason(Position(0, 1), "another", 1)
    assert "ahead" in reason(Position(0, 0))
    assert "another history" in reason(Position(7, 1))
    monkeypatch.setattr(checkpoints, "FINGERPRINT", "another")
    assert "another evaluator" in reason(Position(0, 1))


def test_what_took_effect_elsewhere_makes_a_file_anothers(tmp_path: Path) -> None:
    async def story() -> None:
        state = partition_with(MENTOR)
        state.taken_up = [msgspec.structs.replace(each) for each in state.taken_up]
        kept = Checkpoints(tmp_path / "kept", LOG)
        world = World(3)
        saved = told(world, 20)
        versions = [each for _, group in saved for each in group]
        state = Partition(LOG, 0, 0)
        apply_to_all(state, versions)
        turn, _ = state.close_turn()
        assert await keep(kept, state)
        elsewhere = [msgspec.structs.replace(each, offset=1) for each in turn.applied]
        for recorded, fits in ((turn.applied, True), (elsewhere, False), (turn.applied[1:], False)):
            new = Partition(LOG, 0, 0)
            filled = await kept.restore(new, Position(0, 1), list(recorded), lambda _: versions)
            assert filled == fits

    asyncio.run(story())


def test_what_took_effect_later_but_before_its_offset_makes_a_file_anothers(tmp_path: Path) -> None:
    """A database that was put back goes on in other turns: a later one may lie before the file."""

    async def story() -> None:
        kept = Checkpoints(tmp_path / "kept", LOG)
        state = begun(organization())
        turn, _ = state.close_turn()
        state.resume(50, 3)
        assert await keep(kept, state)
        for offset, fits in ((50, True), (49, False)):
            later = AppliedVersion(0, 3, offset, "organization", "another", 1)
            recorded = [*turn.applied, later]
            new = Partition(LOG, 0, 0)
            filled = await kept.restore(new, Position(60, 5), recorded, lambda _: [organization()])
            assert filled == fits

    asyncio.run(story())


def test_a_directory_that_cannot_be_used_is_told_once(tmp_path: Path) -> None:
    (tmp_path / "file").touch()

    async def story() -> None:
        kept = Checkpoints(tmp_path / "file", LOG)
        state = partition_with(MENTOR)
        with structlog.testing.capture_logs() as lines:
            assert not await keep(kept, state)
            assert not await keep(kept, state)
            assert not await kept.restore(state, Position(0, 1), [], lambda _: [])
        said = [line["event"] for line in lines if line["log_level"] == "warning"]
        assert len(said) == 2

    asyncio.run(story())


def test_no_more_files_stay_than_are_used(tmp_path: Path) -> None:
    file = written(tmp_path / "kept")
    directory = file.parent
    names = ["other-0.checkpoint", "log-1.1234.writing", "not ours", "new.checkpoint"]
    for name in names:
        (directory / name).touch()
    long_ago = checkpoint_files.UNUSED_SECONDS + 60
    for path in [file, *(directory / name for name in names[:3])]:
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime - long_ago))
    checkpoint_files.touch(directory, [file.stem, "gone"])
    checkpoint_files.remove_unused(directory)
    assert {path.name for path in directory.iterdir()} == {file.name, "not ours", "new.checkpoint"}


def test_a_file_of_a_partition_that_was_given_back_is_not_kept_in_use(tmp_path: Path) -> None:
    async def story() -> None:
        kept, state = Checkpoints(tmp_path / "kept", LOG), partition_with(MENTOR)
        assert not await kept.restore(Partition(LOG, 0, 0), Position(0, 1), [], lambda _: [])
        assert await keep(kept, state)
        assert kept.kept == {0: state.position}
        writing = await kept.keep(state)
        kept.give_back(0)
        assert await writing
        assert kept.kept == {}

    asyncio.run(story())


class Kept(Checkpoints):
    """Counts what is taken, without a disk; `fails` says whether it fails."""

    def __init__(self) -> None:
        super().__init__(Path("nowhere"), LOG)
        self.taken: list[Position] = []
        self.fails = False

    async def keep(self, state: Partition) -> "asyncio.Task[bool]":
        self.taken.append(state.position)

        async def done() -> bool:
            return not self.fails

        return asyncio.create_task(done())


def followed(story: Callable[[Kept, Checkpointing, Partition], object]) -> None:
    async def live() -> None:
        kept, state = Kept(), partition_with(MENTOR)
        kept.kept[0] = state.position
        await story(kept, Checkpointing(kept, state), state)  # type: ignore[misc]

    run(live())


def test_one_is_taken_after_enough_records_and_not_before() -> None:
    async def story(kept: Kept, follows: Checkpointing, state: Partition) -> None:
        for offset in (1, checkpointing._LEAST_RECORDS - 1):
            state.resume(offset, 2)
            await follows.look()
        assert kept.taken == []
        state.resume(checkpointing._LEAST_RECORDS, 3)
        await follows.look()
        await follows.look()
        assert kept.taken == [state.position]

    followed(story)


def test_one_is_taken_soon_after_somebody_was_deleted() -> None:
    async def story(kept: Kept, follows: Checkpointing, state: Partition) -> None:
        await asyncio.sleep(1000)
        await follows.look()
        state.departures += 1
        state.resume(5, 2)
        await follows.look()
        assert kept.taken == []
        await asyncio.sleep(checkpointing._SOON_SECONDS)
        await follows.look()
        await asyncio.sleep(1000)
        await follows.look()
        assert kept.taken == [state.position]

    followed(story)


def test_what_failed_is_tried_again_after_a_while() -> None:
    async def story(kept: Kept, follows: Checkpointing, state: Partition) -> None:
        kept.fails = True
        state.resume(10**6, 2)
        for _ in range(5):
            await follows.look()
            await asyncio.sleep(1)
        assert len(kept.taken) == 1
        kept.fails = False
        await asyncio.sleep(checkpointing._AGAIN_SECONDS)
        await follows.look()
        await asyncio.sleep(1000)
        await follows.look()
        assert len(kept.taken) == 2

    followed(story)


def test_a_last_one_is_taken_where_anything_has_come() -> None:
    async def story(kept: Kept, follows: Checkpointing, state: Partition) -> None:
        await follows.end()
        assert kept.taken == []
        state.resume(1, 2)
        await follows.end()
        assert kept.taken == [Position(1, 2)]

    followed(story)


def test_the_place_of_the_last_record_comes_back() -> None:
    world = World(1)
    world._put(mentor(), before_start=False)
    state = Partition(LOG, 0, 0)
    assert state.fold(world.log.records[0], waiting=False) is None
    state.close_turn()
    assert isinstance(state.last, Place)
    assert moved(state, []).last == state.last


@pytest.mark.parametrize("more", [0, 2])
def test_one_of_a_log_that_was_put_back_costs_time_alone(tmp_path: Path, more: int) -> None:
    """Postgres and Kafka came back as they were once, and have gone on otherwise since."""

    async def story() -> None:
        writer, versions = Writer(MemoryLog()), Versions()
        versions.keep(organization())

        async def lived(*names: str) -> tuple[MemorySink, Partition]:
            writer.log.records[0].clear()
            sink, state = MemorySink(), begun(organization())
            sink.set_position(LOG, 0, 0)
            for row in (mentor(), *(activity(name, 1) for name in names)):
                state.fold([writer.put(row)])
                await sink.write(state.close_turn()[0])
            return sink, state

        kept = Checkpoints(tmp_path / "kept", LOG)
        _, once = await lived("a")
        assert await keep(kept, once)
        names = ["b", "c", "d"][: 1 + more]
        sink, _ = await lived(*names)
        recovery = Recovery(generation(log_id=LOG), sink, versions, writer.log, kept)
        with structlog.testing.capture_logs() as lines:
            state = await recovery.restore(0)
        assert list(state.mentors[MENTOR].ledger.rows) == names
        assert kept.kept == {0: None}
        assert [line["event"] for line in lines][-1] == "checkpoint passed over"

    asyncio.run(story())
