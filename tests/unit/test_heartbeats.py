"""From when on a heartbeat tells that nothing before it is missing in Kafka."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from streams.lag import decided_until
from streams.lag.decided_until import Marks
from streams.log import heartbeats
from streams.log.cluster import Topic
from streams.log.generations import Generation
from streams.log.heartbeats import Unconfirmed

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def at(second: int) -> datetime:
    """So many seconds past noon."""
    return NOON + timedelta(seconds=second)


def beat(second: int, lsn: int) -> bytes:
    """A record of the row of the heartbeats, as Debezium writes it."""
    row = {"id": 1, "at": at(second).isoformat()}
    return msgspec.json.encode({"after": row, "source": {"lsn": lsn}, "op": "u", "ts_ms": 1})


def arrived(*values: bytes | None) -> Unconfirmed:
    """What has arrived in the topic."""
    found = Unconfirmed()
    for value in values:
        found.add(value)
    return found


def test_a_heartbeat_tells_nothing_until_the_slot_is_confirmed_beyond_it() -> None:
    found = arrived(beat(0, 100), beat(1, 200), beat(2, 300))
    assert [found.newest(confirmed) for confirmed in (0, 100, 101, 201, 201, 999)] == [
        *(None, None, at(0), at(1), at(1), at(2))
    ]


def test_a_slot_that_has_gone_back_takes_back_nothing() -> None:
    found = arrived(beat(0, 100))
    assert found.newest(101) == at(0)
    assert found.newest(0) == at(0)


@pytest.mark.parametrize(
    "value",
    [None, b"{}", b"\xff", b'{"ts_ms": 1}', b'{"after": null, "source": {"lsn": 1}}', b"[]"],
)
def test_other_records_say_nothing(value: bytes | None) -> None:
    assert arrived(value, beat(0, 100), value).newest(999) == at(0)


def test_while_nothing_is_confirmed_few_are_kept_and_the_newest() -> None:
    number = heartbeats._MOST_WAITING * 20
    found = arrived(*(beat(second, second) for second in range(number)))
    assert len(found._waiting) <= heartbeats._MOST_WAITING
    assert found.newest(number) == at(number - 1)


class World:
    """Postgres and Kafka as one look asks for them; every position is at its end."""

    def __init__(self) -> None:
        self.confirmed = 0
        self.beats = Unconfirmed()
        self.written: list[datetime] = []

    async def fetchrow(self, *_: object) -> dict[str, Any]:
        return {"wal_status": "reserved", "confirmed": self.confirmed}

    async def fetch(self, *_: object) -> list[dict[str, int]]:
        return [{"partition": 0, "next_offset": 7}]

    async def execute(self, query: str, _: str, passed: datetime) -> None:
        assert "decided_until" in query
        self.written.append(passed)

    async def topics(self, names: Sequence[str]) -> dict[str, Topic]:
        return {name: Topic(name, "the log", 1) for name in names}

    async def ends(self, _: Topic) -> list[int]:
        return [7]

    async def newest(self, _: str, confirmed: int) -> datetime | None:
        return self.beats.newest(confirmed)


def test_nothing_is_decided_up_to_a_heartbeat_that_has_overtaken_a_row() -> None:
    """A row of commit 90 is sent again, its partition has another leader: nothing is confirmed."""
    world = World()
    generation = Generation(
        log_id="the log",
        number=1,
        topic="badges.mentor-log.1",
        slot="badges_mentor_log_1",
        connector="badges-mentor-log-1",
        partitions=1,
        system_identifier="1",
        timeline=1,
        state="live",
    )
    marks = Marks()

    async def look() -> list[datetime]:
        await decided_until._look(generation, world, world, world, marks)  # type: ignore[arg-type]
        return world.written

    world.beats.add(beat(0, 100))
    world.confirmed = 80
    assert asyncio.run(look()) == []
    world.confirmed = 110
    assert asyncio.run(look()) == [at(0)]
