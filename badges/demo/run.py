"""One run of the demo, from the first look at the stack to the verification."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import asyncpg
from aiokafka.errors import KafkaError

from badges import event_loop
from badges.demo import catalogue, compose, git_history, loading, playing, visit
from badges.demo.feed import SeenUnlock, following
from badges.demo.tally import Tally
from badges.demo.telling import Directory, Show
from badges.demo.world import Moment, World
from reference import results
from reference.verification import Mismatch, Verified, caught_up, verify
from schema.database import OWN_SETTINGS, connect, first_line, where
from sinks.errors import Unavailable
from sinks.pool import Connection
from streams.errors import Failure
from streams.lag.catching_up import ends_of
from streams.log.kafka import KafkaAccess

_CONNECTIONS = 6
"""Connections to play with: enough for three moments at once that need two each."""


@dataclass(frozen=True)
class Finished:
    run: int
    world: World
    tally: Tally
    verified: Verified
    directory: Directory


@dataclass(frozen=True)
class Demo:
    """What is played, and where. `git` is the path of a repository; `limit` is in seconds, a wait.

    `keep` leaves what the demo has made; `among_others` lets it play among rows not its own.
    """

    database_url: str
    kafka: KafkaAccess
    seed: str
    seconds: float
    git: Path | None
    limit: float
    keep: bool
    among_others: bool

    async def run(self, show: Show) -> Finished:
        """Load a world, play its script, verify the outcome, and remove what was made.

        Raises Failure when something does not answer, the worker does not keep up, or the database
        has rows of others. SIGTERM interrupts it as Ctrl-C does.
        """
        event_loop.heed_sigterm()
        commits = await asyncio.to_thread(git_history.read, self.git) if self.git else []
        with self._reachable():
            async with connect(self.database_url) as connection:
                log = (await results.read(connection)).log
                await ends_of(self.kafka, log)
                async with visit.alone(connection):
                    await self._refuse_others(connection)
                    try:
                        return await self._perform(connection, commits, show)
                    finally:
                        if not self.keep:
                            show.note("removing what the demo has made")
                            await visit.remove(self.database_url)

    async def _refuse_others(self, connection: Connection) -> None:
        found = None if self.among_others else await visit.others(connection)
        if found:
            raise Failure(
                f"the database has rows that are not the demo's: {found}",
                hint="Give it one of its own, or say --among-others: it leaves theirs alone",
            )

    async def _perform(
        self, connection: Connection, commits: Sequence[git_history.Commit], show: Show
    ) -> Finished:
        run, world = await self._load(connection, commits, show)
        await caught_up(connection, self.kafka, self.limit)
        before = await connection.fetchval("SELECT count(*) FROM badge_awards")
        tally, directory = Tally(), Directory(world)
        show.note(f"{before} badges are held already; now watch")
        await self._play(connection, world, tally, directory, show)
        show.note("reading the whole log again, by brute force")
        verified = await verify(
            connection,
            self.kafka,
            limit=self.limit,
            report=lambda done, total: show.note(f"verifying: {done} of {total} records read"),
        )
        directory.names |= await _names(connection, verified.mismatches)
        return Finished(run, world, tally, verified, directory)

    async def _load(
        self, connection: Connection, commits: Sequence[git_history.Commit], show: Show
    ) -> tuple[int, World]:
        name = self.git.resolve().name if self.git else f"seed {self.seed}"
        run = await loading.free_run(connection, name)
        if self.git:
            world = git_history.compose(commits, name, run, self.seconds)
        else:
            now = datetime.now(UTC)
            world = compose.compose(catalogue.load(), name, run, self.seconds, now)
        world.badges = await loading.badges_as_they_fit(connection, world)
        again = f"run {run} of {name}: earlier people stay, these are new; " if run > 1 else ""
        show.note(f"{again}loading {len(world.mentors)} mentors, {world.size} rows")
        await loading.save_rules(connection, world)
        await loading.copy_history(connection, world)
        return run, world

    async def _play(
        self,
        connection: Connection,
        world: World,
        tally: Tally,
        directory: Directory,
        show: Show,
    ) -> None:
        def moment(happened: Moment, committed: float) -> None:
            tally.save(happened, committed)
            show.moment(happened, directory.place(happened.person))
            show.figures(tally)

        def unlock(seen: SeenUnlock) -> None:
            line = directory.describe(seen, tally.unlock(seen), datetime.now())
            if line is not None:
                show.unlock(line)
            show.figures(tally)

        async with (
            asyncpg.create_pool(
                self.database_url,
                min_size=_CONNECTIONS,
                max_size=_CONNECTIONS,
                server_settings=OWN_SETTINGS,
            ) as pool,
            following(self.database_url, unlock),
        ):
            await playing.play(pool, world.script, moment)
            await caught_up(connection, self.kafka, self.limit)

    @contextmanager
    def _reachable(self) -> Iterator[None]:
        """Turn what a stack that is away or unfinished makes us raise into one clear line."""
        try:
            yield
        except asyncpg.UndefinedTableError as error:
            reason = f"{first_line(error)}: run `badges migrate` first (make up does)"
            raise Failure(reason) from error
        except (OSError, asyncpg.PostgresConnectionError, asyncpg.InterfaceError) as error:
            place = where(self.database_url)
            raise Failure(f"Postgres at {place} went away: {first_line(error)}") from error
        except (KafkaError, Unavailable) as error:
            raise Failure(
                f"Kafka at {self.kafka.bootstrap} does not answer: {first_line(error)}. "
                "Check BADGES_KAFKA_BOOTSTRAP and that it runs (make up)."
            ) from error


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
