"""What goes wrong of a whole stack, as by somebody with a shell on its machine, and its remedy."""

import asyncio
import json
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import asyncpg
import psutil

from badges.stack import addresses, secrets
from badges.stack.infra import Infra
from sinks.alerts import AlertKind
from streams.log import generations
from streams.log.connect import Connect
from tests.acceptance.local_stack import LocalStack
from tests.parts import Processes, freeze
from tests.stack import LIMIT_S, wait_for

_ROW = """
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date)
SELECT gen_random_uuid(), id, 'visit', '{day}' FROM peer_mentors WHERE active ORDER BY id LIMIT 1
"""
_HANG = """
CREATE FUNCTION hang() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(3600); RETURN NEW; END';
CREATE TRIGGER hang BEFORE UPDATE ON badge_heartbeats FOR EACH ROW EXECUTE FUNCTION hang()
"""
_HANGS = """
SELECT pid FROM pg_stat_activity
WHERE query ~ 'UPDATE public.badge_heartbeats' AND wait_event = 'PgSleep'
"""
_DROP = "DROP TRIGGER hang ON public.badge_heartbeats"
_DROP_WAITS = """
SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'
               AND relation = 'public.badge_heartbeats'::regclass)
"""


class Machine:
    """The machine of a stack that is up."""

    def __init__(self, stack: LocalStack) -> None:
        self.stack = stack
        self._layout = stack.launcher.layout
        passwords = secrets.load(self._layout.run_dir)
        self._owner = addresses.owner_url(self._layout, passwords)
        self._parts = Processes(Infra(self._layout, passwords))
        command = addresses.for_command(self._layout, passwords, "provision")
        self.settings: Mapping[str, str] = {**stack.settings, **command}
        """The environment of a command that the database's owner runs."""

    def execute(self, statements: str) -> None:
        """Run SQL as the application does."""

        async def run() -> None:
            connection = await asyncpg.connect(self._owner)
            try:
                await connection.execute(statements)
            finally:
                await connection.close()

        asyncio.run(run())

    def _value(self, query: str) -> Any:
        async def run() -> Any:
            connection = await asyncpg.connect(self._owner)
            try:
                return await connection.fetchval(query)
            finally:
                await connection.close()

        return asyncio.run(run())

    def badges(self, *words: str) -> str:
        """What a command prints that has to end well."""
        return self.stack.badges(*words, **self.settings)

    def doctor(self) -> Any:
        """What the doctor says, as JSON."""
        _, told = self.stack.run("doctor", "--json", **self.settings)
        return json.loads(told)

    def worker(self) -> psutil.Process:
        """The worker's process."""
        return psutil.Process(int(self._layout.pid_file("worker").read_text()))

    def freeze_worker(self) -> None:
        """SIGSTOP, and a row that waits for it."""
        freeze(self.worker())
        self.execute(_ROW.format(day="2026-03-02"))

    def restart_worker(self) -> None:
        """End the frozen one: the stack starts another by itself."""
        self.stack.kill_worker()

    def stop_connector(self) -> None:
        """What somebody does with Connect's own interface."""

        async def run() -> None:
            connection = await asyncpg.connect(self._owner)
            live = await generations.live(connection)
            await connection.close()
            assert live is not None
            async with Connect(self.settings["BADGES_CONNECT_URL"], patience=LIMIT_S) as connect:
                await connect.stop(live.connector)

        asyncio.run(run())

    def provision(self) -> None:
        self.badges("provision")

    def hold_up_slot(self) -> None:
        """Let the connector wait for ever for an answer of Postgres."""
        self.execute(_HANG)
        wait_for(lambda: bool(self._value(_HANGS)), LIMIT_S, "a connector that waits")

    def let_slot_go_on(self) -> None:
        """What the doctor says: drop the trigger, and, while that waits, cancel who is in it."""
        dropping = threading.Thread(target=self.execute, args=[_DROP])
        dropping.start()
        wait_for(lambda: bool(self._value(_DROP_WAITS)), LIMIT_S, "a DROP TRIGGER that waits")
        self.execute(f"SELECT pg_cancel_backend(pid) FROM ({_HANGS}) AS hanging")
        dropping.join()
        self.execute("DROP FUNCTION hang()")

    def poison_row(self) -> None:
        """A date that Postgres takes and nobody can use."""
        self.execute(_ROW.format(day="infinity"))

    def heal_row(self) -> None:
        self.execute("DELETE FROM activities WHERE activity_date = 'infinity'")
        self.badges("dead-letters", "drop", "--all", "--yes")

    def stop_postgres(self) -> None:
        self._parts.stop(["postgres"])

    def start_postgres(self) -> None:
        self._parts.start(["postgres"])


@dataclass(frozen=True)
class Fault:
    """Something that goes wrong: what shows it, and what mends it.

    `stages` are the states that one stage each may have by it, `alert` is the kind that tells of
    it, and `diagnosis` what the doctor names: words of the message, the subject or the fix.
    """

    name: str
    begin: Callable[[Machine], None]
    mend: Callable[[Machine], None]
    stages: Mapping[str, set[str]]
    alert: AlertKind
    diagnosis: str


FAULTS = (
    Fault(
        "the worker is frozen",
        Machine.freeze_worker,
        Machine.restart_worker,
        {"worker": {"stopped", "behind"}},
        "nobody_works",
        "worker",
    ),
    Fault(
        "the connector is stopped",
        Machine.stop_connector,
        Machine.provision,
        {"connector": {"stopped"}},
        "connector_idle",
        "badges provision",
    ),
    Fault(
        "the slot falls behind",
        Machine.hold_up_slot,
        Machine.let_slot_go_on,
        {"slot": {"behind"}},
        "connector_idle",
        "DROP TRIGGER hang ON public.badge_heartbeats;",
    ),
    Fault(
        "a row is poisoned",
        Machine.poison_row,
        Machine.heal_row,
        {},
        "dead_letters",
        "badges dead-letters list",
    ),
    Fault(
        "Postgres is stopped",
        Machine.stop_postgres,
        Machine.start_postgres,
        {"slot": {"unreachable"}},
        "log_unreachable",
        "BADGES_DATABASE_URL",
    ),
)
