"""`badges provision`: topics, connector, first snapshot, and one live generation of the log."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import asyncpg
import typer
from aiokafka.errors import KafkaError
from rich.console import Console
from rich.status import Status

from badges import event_loop, settings, urls
from badges.cli.options import Json, print_json
from schema.database import connect, first_line
from sinks.errors import Unavailable
from sinks.failures import UNREACHED
from streams.errors import ConnectAway, ConnectRefused, Failure
from streams.filling import provisioning
from streams.filling.site import Site
from streams.log import generations
from streams.log.cluster import COMMAND_ANSWER_S, Cluster
from streams.log.connect import PATIENCE_S, Connect
from streams.log.generations import Generation

_AWAY = (
    *UNREACHED,
    KafkaError,
    Unavailable,
    ConnectAway,
    ConnectRefused,
    asyncpg.PostgresError,
)
_PLAIN_EVERY_S = 2.0


def provision(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be done, and do nothing.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Create the log: topics, connector and first snapshot.

    Safe to run again at any time.
    """
    event_loop.run(lambda: _provision(settings.load(), dry_run=dry_run, as_json=as_json))


async def _provision(chosen: settings.Settings, *, dry_run: bool, as_json: bool) -> None:
    async with open_site(chosen, "provision", aside=as_json) as site:
        if dry_run:
            steps = await provisioning.plan(site)
            found = await generations.live(site.connection)
            notes = await provisioning.notes(site, found) if found else []
            _print_plan(steps, notes, as_json=as_json)
            return
        live = await provisioning.provision(site)
        notes = await provisioning.notes(site, live)
    print_result(live, notes, as_json=as_json)


@asynccontextmanager
async def open_site(chosen: settings.Settings, command: str, *, aside: bool) -> AsyncIterator[Site]:
    """All clients that a command needs. Whoever does not answer becomes a Failure.

    What is done is said on stdout, or aside, on stderr.
    """
    progress = _Progress(aside=aside)
    try:
        async with (
            connect(chosen.database) as connection,
            Cluster(chosen.kafka_access(), patience=COMMAND_ANSWER_S) as cluster,
            Connect(chosen.connect_url.get_secret_value(), patience=PATIENCE_S) as rest,
        ):
            yield Site(
                connection=connection,
                access=chosen.kafka_access(),
                cluster=cluster,
                connect=rest,
                prefix=chosen.prefix,
                partitions=chosen.partitions,
                replication_factor=chosen.replication_factor,
                sslmode=urls.sslmode(chosen.database),
                say=progress.say,
                progress=progress.show,
            )
    except _AWAY as error:
        again = f"Run `badges {command}` again when that is mended; it goes on where it was."
        raise Failure(_where_it_failed(error, chosen), hint=again) from error
    finally:
        progress.stop()


def _where_it_failed(error: BaseException, chosen: settings.Settings) -> str:
    if isinstance(error, (ConnectAway, ConnectRefused)):
        return f"{error} (BADGES_CONNECT_URL)"
    if isinstance(error, (KafkaError, Unavailable, TimeoutError)):
        place = chosen.kafka_bootstrap
        return f"Kafka at {place}: {first_line(error)} (BADGES_KAFKA_BOOTSTRAP)"
    return first_line(error)


def _print_plan(steps: list[str], notes: list[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"would": steps, "notes": notes})
        return
    for note in notes:
        typer.echo(f"Note: {note}.")
    for step in steps:
        typer.echo(f"Would {step}.")
    if not steps:
        typer.echo("Nothing to do: no part of the log is missing.")


def print_result(live: Generation, notes: list[str], *, as_json: bool) -> None:
    if as_json:
        result = {
            "generation": live.number,
            "log_id": live.log_id,
            "topic": live.topic,
            "slot": live.slot,
            "connector": live.connector,
            "starts": live.starts,
            "notes": notes,
        }
        print_json(result)
        return
    for note in notes:
        typer.echo(f"Note: {note}.")
    typer.echo(f"The log is live and whole: generation {live.number}, topic {live.topic}.")


class _Progress:
    """What goes on, on stderr: one line that changes on a terminal, else a line when it differs."""

    def __init__(self, *, aside: bool) -> None:
        self._aside = aside
        self._console = Console(stderr=True, highlight=False)
        self._status: Status | None = None
        self._shown = ""
        self._next = 0.0

    def say(self, text: str) -> None:
        self.stop()
        typer.echo(text, err=self._aside)

    def show(self, text: str) -> None:
        if self._console.is_terminal:
            self._status = self._status or self._console.status(text)
            self._status.start()
            self._status.update(text)
            return
        now = asyncio.get_running_loop().time()
        if text != self._shown and now >= self._next:
            self._shown, self._next = text, now + _PLAIN_EVERY_S
            typer.echo(text, err=True)

    def stop(self) -> None:
        if self._status is not None:
            self._status.stop()
            self._status = None
