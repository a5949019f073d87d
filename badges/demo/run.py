"""One run of the demo, from the first look at the stack to the verification."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from aiokafka.errors import KafkaError

from badges import event_loop
from badges.demo import catalogue, compose, git_history, loading, playing, visit
from badges.demo.feed import Feed, Unlock
from badges.demo.tally import Tally
from badges.demo.target import Target
from badges.demo.telling import Directory, Show
from badges.demo.world import Ids, Moment, World
from reference import recorded
from reference.catching_up import caught_up, ends_of
from reference.verification import Mismatch, Verified, verify
from schema.database import OWN_SETTINGS, connect, first_line, where
from sinks.base import Unavailable
from sinks.pool import Connection
from streams.errors import Problem

_CONNECTIONS = 6
"""Connections to play with: enough for three moments at once that need two each."""


@dataclass(frozen=True)
class Options:
    """What may be chosen. `git` is the path of a repository; `limit` is in seconds, a wait.

    `keep` leaves what the demo has made; `among_others` lets it play among rows not its own.
    """

    seed: str
    seconds: float
    git: Path | None = None
    limit: float = 60
    keep: bool = False
    among_others: bool = False


@dataclass(frozen=True)
class Finished:
    run: int
    mentors: int
    loaded: int
    tally: Tally
    verified: Verified
    directory: Directory


async def run(target: Target, options: Options, show: Show) -> Finished:
    """Load a world, play its script, verify the outcome, and take along what was made.

    Raises Problem when something does not answer, the worker does not keep up, or the database has
    rows of others. SIGTERM interrupts it as Ctrl-C does.
    """
    event_loop.heed_sigterm()
    commits = await asyncio.to_thread(git_history.read, options.git) if options.git else None
    with _reachable(target):
        async with connect(target.database_url) as connection:
            log = (await recorded.read(connection)).log
            await ends_of(target.kafka, log)
            async with visit.alone(connection):
                await _refuse_others(connection, options)
                try:
                    return await _perform(connection, target, options, commits, show)
                finally:
                    if not options.keep:
                        show.note("taking along what the demo has made")
                        await visit.take_along(target.database_url)


async def _refuse_others(connection: Connection, options: Options) -> None:
    found = None if options.among_others else await visit.others(connection)
    if found:
        raise Problem(
            f"the database has rows that are not the demo's: {found}",
            hint="Give it one of its own, or say --among-others: it leaves theirs alone",
        )


async def _perform(
    connection: Connection,
    target: Target,
    options: Options,
    commits: Sequence[git_history.Commit] | None,
    show: Show,
) -> Finished:
    number, world = await _load(connection, options, commits, show)
    await caught_up(connection, target.kafka, options.limit)
    before = await connection.fetchval("SELECT count(*) FROM badge_awards")
    tally, directory = Tally(), Directory(world)
    show.note(f"{before} badges are held already; now watch")
    await _play(connection, target, options, world, tally, directory, show)
    show.note("reading the whole log again, by brute force")
    verified = await verify(
        connection,
        target.kafka,
        limit=options.limit,
        report=lambda done, total: show.note(f"verifying: {done} of {total} records read"),
    )
    directory.learn(await _names(connection, verified.mismatches))
    return Finished(
        number,
        len(world.history.mentors),
        len(world.history),
        tally,
        verified,
        directory,
    )


async def _load(
    connection: Connection,
    options: Options,
    commits: Sequence[git_history.Commit] | None,
    show: Show,
) -> tuple[int, World]:
    name = f"seed {options.seed}"
    if options.git is not None:
        name = options.git.resolve().name
    number, ids = await loading.free_run(connection, name)
    world = _compose(options, commits, name, ids)
    world = world.with_badges(await loading.placed(connection, world.badges, world.organizations))
    again = f"run {number} of {name}: earlier people stay, these are new; " if number > 1 else ""
    show.note(f"{again}loading {len(world.history.mentors)} mentors, {len(world.history)} rows")
    await loading.save_rules(connection, world.organizations, world.badges)
    await loading.copy_history(connection, world.history)
    return number, world


async def _names(connection: Connection, mismatches: Sequence[Mismatch]) -> dict[str, str]:
    """What the mentors and badges of these mismatches are called, by id."""
    rows = await connection.fetch(
        """
        SELECT id::text, display_name AS name FROM peer_mentors WHERE id = ANY ($1::uuid[])
        UNION ALL
        SELECT id::text, name FROM badge_definitions WHERE id = ANY ($2::uuid[])
        """,
        {mismatch.peer_mentor_id for mismatch in mismatches},
        {mismatch.badge for mismatch in mismatches if mismatch.badge},
    )
    return {row["id"]: row["name"] for row in rows if row["name"]}


def _compose(
    options: Options, commits: Sequence[git_history.Commit] | None, name: str, ids: Ids
) -> World:
    if commits is not None:
        return git_history.compose(commits, name, ids, options.seconds)
    return compose.compose(catalogue.load(), ids, options.seed, options.seconds, datetime.now(UTC))


async def _play(
    connection: Connection,
    target: Target,
    options: Options,
    world: World,
    tally: Tally,
    directory: Directory,
    show: Show,
) -> None:
    def moment(happened: Moment, committed: float) -> None:
        tally.save(happened, committed)
        show.moment(happened, directory.place(happened.person) if happened.person else "")
        show.figures(tally)

    def unlock(seen: Unlock) -> None:
        line = directory.describe(seen, tally.unlock(seen), datetime.now())
        if line is not None:
            show.unlock(line)
        show.figures(tally)

    async with (
        asyncpg.create_pool(
            target.database_url,
            min_size=_CONNECTIONS,
            max_size=_CONNECTIONS,
            server_settings=OWN_SETTINGS,
        ) as pool,
        _following(target, unlock),
    ):
        await playing.play(pool, world.script, moment)
        await caught_up(connection, target.kafka, options.limit)


@asynccontextmanager
async def _following(target: Target, take: Callable[[Unlock], None]) -> AsyncIterator[None]:
    """The feed runs for as long as the block does, and looks once more at its end."""
    async with connect(target.database_url) as connection:
        feed = await Feed.open(connection)
        task = asyncio.create_task(feed.follow(take))
        try:
            yield
        finally:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
        await feed.look(take)


@contextmanager
def _reachable(target: Target) -> Iterator[None]:
    """Turn what a stack that is away or unfinished makes us raise into one clear line."""
    try:
        yield
    except asyncpg.UndefinedTableError as error:
        raise Problem(f"{first_line(error)}: run `badges migrate` first (make up does)") from error
    except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
        raise Problem(
            f"Postgres at {where(target.database_url)} went away: {first_line(error)}"
        ) from error
    except (KafkaError, Unavailable) as error:
        raise Problem(
            f"Kafka at {target.kafka.bootstrap} does not answer: {first_line(error)}. "
            "Check BADGES_KAFKA_BOOTSTRAP and that it runs (make up)."
        ) from error


def named(mismatch: Mismatch, directory: Directory) -> str:
    badge = f", badge {directory.badge(mismatch.badge)}" if mismatch.badge else ""
    return (
        f"mentor {directory.person(mismatch.peer_mentor_id)}{badge}: {mismatch.what} "
        f"should be {mismatch.expected}, is {mismatch.found}"
    )
