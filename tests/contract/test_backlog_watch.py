"""Each partition in which something waits has to move, unless an open alert says why not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from aiokafka.errors import KafkaError

from sinks.alerts import AlertKind, PostgresAlerts
from sinks.errors import Unavailable
from sinks.pool import Pool, create_pool
from streams.lag import backlog
from streams.lag.backlog import WORKER
from streams.lag.backlog_watch import CONFIRMATIONS, FROZEN_S, STILL_S, Watch
from streams.lag.pulse import Pulses
from tests.contract.worlds import PostgresWorld
from tests.doubles.memory_alerts import MemoryAlerts
from tests.stack import LIMIT_S, Stack

pytestmark = [pytest.mark.anyio, pytest.mark.usefixtures("patient_alerts")]

ENDS = [100, 100, 100]


class Watched:
    """A watch with the api's rights over partitions that move as the test says, its clock too."""

    def __init__(self, owner: Pool, api: Pool, log_id: str) -> None:
        self.owner = owner
        self.alerts = MemoryAlerts()
        self.told = PostgresAlerts(owner)
        self.kafka_answers = asyncio.Event()
        self.kafka_answers.set()
        self.network: OSError | None = None
        self._log_id = log_id
        self._now = 0.0
        cluster: Any = SimpleNamespace(
            topic=self._topic, ends=self._ends, first_values=self._first_values
        )
        self.pulses = Pulses(lambda: self._now)
        self._watch = Watch(api, cluster, self.alerts, self.pulses, lambda: self._now)

    async def _topic(self, _: str) -> object:
        return object()

    async def _ends(self, _: object) -> list[int]:
        if self.network:
            raise self.network
        return ENDS

    async def _first_values(self, _: object, ranges: Mapping[int, object]) -> Mapping[int, bytes]:
        await self.kafka_answers.wait()
        return dict.fromkeys(ranges, b"a record")

    async def decide(self, partition: int, records: int) -> None:
        await self.owner.execute(
            "UPDATE badge_log_positions SET next_offset = next_offset + $3 "
            "WHERE log_id = $1 AND partition = $2",
            self._log_id,
            partition,
            records,
        )

    async def fail(self, looks: int, error: Exception) -> list[str]:
        """Let so many looks fail in a row; what is open then."""
        for _ in range(looks):
            await self._watch.failed(error)
        return self._open()

    async def silence(self, *pulses: str, connected: bool) -> list[str]:
        """Let some seconds pass in which these pulses alone are heard; what is open then."""
        session = await self.owner.fetchval("SELECT pg_backend_pid()") if connected else -1
        for _ in range(int(FROZEN_S) + 1):
            self._now += 1
            for pulse in pulses:
                self.pulses.hear(session, pulse)
            self.pulses.listened()
            await self._watch.look()
        return self._open()

    async def minutes(self, *moving: int) -> list[str]:
        """Let some pass while a record of each of these partitions is decided; what is open."""
        for _ in range(CONFIRMATIONS + 1):
            for partition in moving:
                await self.decide(partition, 1)
            await self._watch.look()
            self._now += STILL_S
        return self._open()

    def _open(self) -> list[str]:
        return [str(a.detail["message"]) for a in self.alerts.alerts if a.resolved_at is None]


@pytest.fixture
async def watched(
    postgres_world: PostgresWorld, postgres: Stack, contract_url: str
) -> AsyncIterator[Watched]:
    """Three partitions with rows that wait, and a worker that has a session."""
    owner = postgres_world.owner
    log = await postgres_world.live_log()
    await owner.execute(
        "INSERT INTO badge_log_positions (log_id, partition, next_offset, turn) "
        "VALUES ($1, 1, 0, 0), ($1, 2, 0, 0)",
        log.log_id,
    )
    await owner.execute("UPDATE badge_alerts SET resolved_at = now() WHERE resolved_at IS NULL")
    url = postgres.role_url("badges_api", contract_url)
    async with (
        await create_pool(url, application_name="test", connect_timeout=LIMIT_S) as api,
        await create_pool(url, application_name=WORKER, connect_timeout=LIMIT_S) as worker,
        worker.acquire(),
    ):
        yield Watched(owner, api, log.log_id)
    await postgres_world.close_log(log.log_id)


async def test_one_that_stands_still_is_told_though_the_others_move(watched: Watched) -> None:
    assert await watched.minutes(0, 1, 2) == []
    (message,) = await watched.minutes(0, 2)
    waits = ENDS[1] - CONFIRMATIONS - 1
    assert message.startswith(
        f"{waits} records of the log wait and nothing has moved in partition 1"
    )


async def test_all_that_stand_still_are_told_together(watched: Watched) -> None:
    (message,) = await watched.minutes()
    assert message.startswith("300 records of the log wait and no position has moved for")


async def test_a_worker_that_is_silent_and_connected_is_told_as_frozen(watched: Watched) -> None:
    assert await watched.silence("alive 0,2", "frozen 1", connected=True) == []
    (message,) = await watched.silence("alive 0,2", connected=True)
    assert message.startswith("100 records of the log wait for a worker that is connected and has")
    assert "it is frozen" in message
    assert await watched.silence("alive 0,2", "frozen 1", connected=True) == []


async def test_one_that_has_ended_or_whose_partitions_another_has_is_not_frozen(
    watched: Watched,
) -> None:
    assert await watched.silence("one 0,1", "two 2", connected=False) == []
    assert await watched.silence("one 0,1", connected=False) == []
    assert await watched.silence("one 0,1", "two 2", connected=True) == []
    assert await watched.silence("one 0,1,2", connected=True) == []


async def test_a_postgres_that_stays_away_is_told_until_it_answers(watched: Watched) -> None:
    assert await watched.fail(CONFIRMATIONS - 1, Unavailable("no route to it")) == []
    assert await watched.minutes(0, 1, 2) == []
    assert await watched.fail(CONFIRMATIONS, KafkaError("that is another thing")) == []
    (message,) = await watched.fail(CONFIRMATIONS, Unavailable("no route to it"))
    assert message.endswith("no route to it")
    assert await watched.minutes(0, 1, 2) == []


async def test_a_network_that_does_not_lead_to_kafka_is_no_fault_of_postgres(
    watched: Watched,
) -> None:
    watched.network = ConnectionResetError("by peer")
    with pytest.raises(KafkaError, match="by peer"):
        await watched.minutes()


async def test_a_topic_that_says_nothing_any_more_holds_up_no_later_look(
    watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await watched.minutes(0, 1, 2) == []
    monkeypatch.setattr(backlog, "_MARKS_S", 0.01)
    watched.kafka_answers.clear()
    with pytest.raises(KafkaError):
        await watched.minutes()
    watched.kafka_answers.set()
    (message,) = await watched.minutes()
    assert "no position has moved" in message


async def test_one_in_which_nothing_waits_need_not_move(watched: Watched) -> None:
    await watched.decide(1, ENDS[1])
    assert await watched.minutes(0, 2) == []


@pytest.mark.parametrize(
    ("kind", "subject"),
    [
        ("turn_stalled", "1"),
        ("turn_stalled", "rules"),
        ("partition_failed", "1"),
        ("dead_letters", "partition 1"),
        ("log_unreachable", ""),
        ("source_changed", ""),
    ],
)
async def test_why_one_stands_still_is_told_once(
    watched: Watched, kind: AlertKind, subject: str
) -> None:
    await watched.told.raise_alert(kind, {"message": "that is why"}, subject=subject)
    assert await watched.minutes(0, 2) == []


@pytest.mark.parametrize(
    ("kind", "subject"),
    [("turn_stalled", "2"), ("partition_failed", "11"), ("dead_letters", "activities")],
)
async def test_why_another_stands_still_says_nothing_of_it(
    watched: Watched, kind: AlertKind, subject: str
) -> None:
    await watched.told.raise_alert(kind, {"message": "that is why"}, subject=subject)
    (message,) = await watched.minutes(0, 2)
    assert "partition 1 for" in message
