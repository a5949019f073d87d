"""Whatever stops, `badges lag` and GET /v1/lag say within seconds which stage it is."""

import json
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import AIOKafkaProducer

from streams.lag.backlog import unworked
from streams.lag.catching_up import partitions_behind, until_decided
from streams.log.wal import insert_lsn
from tests.api.service import Service, serving_api
from tests.integration.commands import Command
from tests.integration.pipeline import Pipeline, Rig, partition_of
from tests.integration.test_committed_offsets import send
from tests.stack import LIMIT_S

Answer = dict[str, Any]


@pytest.fixture
def service(rig: Rig, tmp_path: Path) -> Iterator[Service]:
    """The API beside a pipeline."""
    p = rig.pipeline
    settings = {"BADGES_PREFIX": p.site.prefix}
    with serving_api(p.stack, p.owner_url, tmp_path / "log", **settings) as running:
        yield running


async def measured(p: Pipeline) -> tuple[int, Answer]:
    """What `badges lag --once --json` prints, and the code with which it ends."""
    code, out, err = await (await Command(p, "lag", "--once", "--json").start()).end()
    assert out, err
    return code, json.loads(out)


async def ended(p: Pipeline, code: int) -> Answer:
    """What it prints when it ends with that code: a busy machine may take longer than it waits."""

    async def printed() -> Answer | None:
        actual, answer = await measured(p)
        # Kafka's stage is said to be behind when Postgres had no time for its second question.
        is_whole = code == 2 or answer["behind_records"] is not None
        return answer if actual == code and is_whole else None

    found: Answer = await p.until(printed, what=f"that the command ends with {code}")
    return found


async def shown(service: Service) -> Answer:
    """What the API answers to who has no token."""
    async with httpx.AsyncClient(base_url=service.url, timeout=LIMIT_S) as client:
        answer = await client.get("/v1/lag")
    assert answer.status_code == 200, answer.text
    found: Answer = answer.json()
    return found


async def all_well(p: Pipeline, service: Service) -> None:
    """Wait until everything is on time."""
    await p.come_to_rest()

    async def is_so() -> bool:
        return (await shown(service))["on_time"] is True

    await p.until(is_so, what="that everything is on time")


def state(answer: Answer, name: str) -> tuple[str, str]:
    """The state of a stage, and what is said of it."""
    (found,) = [each for each in answer["stages"] if each["name"] == name]
    return found["state"], found["message"]


async def told(
    p: Pipeline, service: Service, code: int, is_told: Callable[[Answer], bool], what: str
) -> Answer:
    """Wait until API and command say so, not longer than the limit; what the command says."""
    began = time.monotonic()

    async def api_says() -> bool:
        return is_told(await shown(service))

    async def command_says() -> Answer | None:
        actual, answer = await measured(p)
        return answer if is_told(answer) and actual == code else None

    await p.until(api_says, what=f"that the API tells {what}")
    by_api = time.monotonic() - began
    found: Answer = await p.until(command_says, what=f"that the command tells {what}")
    by_command = time.monotonic() - began
    print(f"{what}: told by the API after {by_api:.1f} s, by the command after {by_command:.1f} s")
    return found


def holds_up(stage: str, in_state: str) -> Callable[[Answer], bool]:
    """Whether that stage is said to hold up the others."""

    def is_told(answer: Answer) -> bool:
        found = (answer["on_time"], answer["stage"], state(answer, stage)[0])
        return found == (False, stage, in_state)

    return is_told


def test_a_worker_that_is_frozen_is_told_with_and_without_rows(
    unmanned: Rig, service: Service
) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        worker = p.worker()
        await p.at_work(worker)
        await all_well(p, service)
        worker.pause()
        answer = await told(p, service, 1, holds_up("worker", "stopped"), "a frozen worker")
        assert answer["behind_records"] == 0
        assert "it is frozen" in state(answer, "worker")[1]
        # As of one that froze before it had noted anything of this log.
        await p.pool.execute("UPDATE badge_logs SET decided_until = NULL")
        await told(p, service, 1, holds_up("worker", "stopped"), "one that never noted anything")
        await p.activity(mentor, "2026-01-01")
        late = await told(
            p,
            service,
            1,
            lambda a: holds_up("worker", "stopped")(a) and a["behind_records"] == 1,
            "a frozen worker with a row",
        )
        assert late["behind_seconds"] > 0
        worker.resume()
        await all_well(p, service)

        worker.kill()
        # Until the server has ended the sessions of the dead one it counts as frozen.
        await told(
            p,
            service,
            1,
            lambda a: (
                holds_up("worker", "stopped")(a)
                and "no worker is connected" in state(a, "worker")[1]
            ),
            "a dead worker",
        )

    unmanned.run(test)


def test_a_mark_that_comes_last_is_no_row_that_waits(unmanned: Rig, service: Service) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        worker = p.worker()
        await p.at_work(worker)
        await all_well(p, service)
        worker.kill()
        await send(p, mentor, organization, 40, commit=False)

        answer = await ended(p, 1)
        assert answer["behind_records"] == 0
        assert all(each["behind_records"] == 0 for each in answer["partitions"])
        assert {each["behind_seconds"] for each in answer["partitions"]} == {0}
        await p.until(partial(nothing_waits, service), what="that the API finds nothing to wait")
        await p.until(partial(says_unworked, p, None), what="that nothing waits for a command")
        number = partition_of(mentor, p.log.partitions)
        async with p.pool.acquire() as connection:
            late = partial(partitions_behind, connection, p.site.cluster, p.log, [number])
            assert await late(LIMIT_S) == {}
            await until_decided(connection, p.site.access, await insert_lsn(connection), LIMIT_S)

        await send(p, mentor, organization, 1, commit=True)
        await told(p, service, 1, lambda a: bool(a["behind_records"]), "a row for nobody")
        nobody = partial(says_unworked, p, "no worker is connected")
        await p.until(nobody, what="that a row waits for nobody")
        # What is asked as the limit passes is broken off, which may cost its connection.
        async with p.pool.acquire() as connection:
            late = partial(partitions_behind, connection, p.site.cluster, p.log, [number])
            assert (await late(0.5)).keys() == {number}
        await p.at_work(worker)
        await all_well(p, service)

    unmanned.run(test)


async def says_unworked(p: Pipeline, words: str | None) -> bool:
    """Whether a command says these words of what waits for nobody, or nothing for None."""
    said = await unworked(p.log, p.pool, p.site.cluster)
    return said is None if words is None else words in (said or "")


async def nothing_waits(service: Service) -> bool:
    answer = await shown(service)
    return bool(answer["behind_records"] == 0 and state(answer, "worker")[0] == "stopped")


def test_a_connector_that_is_paused_is_told(working: Rig, service: Service) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        await all_well(p, service)
        await p.site.connect.stop(p.log.connector)
        await p.activity(mentor, "2026-01-01")
        await told(p, service, 1, holds_up("connector", "stopped"), "a connector that is stopped")

        def is_late(answer: Answer) -> bool:
            seconds = answer["stages"][0]["behind_seconds"]
            return state(answer, "slot")[0] == "behind" and seconds is not None

        answer = await told(p, service, 1, is_late, "a slot that falls behind")
        assert answer["stages"][0]["behind_bytes"] > 0
        assert answer["stages"][0]["behind_seconds"] > 5
        await p.site.connect.resume(p.log.connector)
        await all_well(p, service)

    working.run(test)


@pytest.mark.parametrize(
    ("part", "stage"), [("kafka", "kafka"), ("connect", "connector"), ("postgres", "slot")]
)
@pytest.mark.parametrize("way", ["stop", "pause"])
def test_a_server_that_does_not_answer_is_told(
    working: Rig, service: Service, part: str, stage: str, way: str
) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        await all_well(p, service)
        getattr(p.stack, way)(part)
        unreachable = holds_up(stage, "unreachable")
        if (part, way) == ("postgres", "pause"):
            # Sessions that there are go on: the command alone has none yet.
            answer = await ended(p, 2)
            assert unreachable(answer)
        else:
            answer = await told(p, service, 2, unreachable, f"{part}, {way}")
        message = state(answer, stage)[1]
        assert "127.0.0.1" in message or "localhost" in message
        with service.client("coordinator", organization) as client:
            assert client.get("/v1/lag").status_code == 200
        if way == "pause":
            p.stack.resume(part)
        else:
            p.stack.start(part)
        await p.until(partial(connected, p), what="the database")
        await all_well(p, service)

    working.run(test)


async def connected(p: Pipeline) -> bool:
    return await p.pool.fetchval("SELECT true") is True


def test_a_row_that_nobody_can_use_is_an_alert_of_it(working: Rig, service: Service) -> None:
    async def test(p: Pipeline) -> None:
        await all_well(p, service)
        async with AIOKafkaProducer(**p.site.access.client_options()) as producer:
            await producer.send_and_wait(p.log.topic, b"{", b"nobody", partition=0)
        answer = await told(
            p, service, 0, lambda a: "dead_letters" in a["alerts"], "a poisoned row"
        )
        # The rest goes on.
        assert answer["on_time"] is True
        assert answer["alerts_since"]["dead_letters"] is not None
        command = await Command(p, "dead-letters", "drop", "--table", "unreadable", "--yes").start()
        assert (await command.end())[0] == 0

    working.run(test)
