"""`badges doctor` as people run it: the whole healthy stack, what is away, --fix, --report."""

import json
import time
from functools import partial
from pathlib import Path
from typing import Any

import httpx

from streams.log.topics import LOG_SETTINGS
from tests.contract.proxy import HOST
from tests.integration.commands import Command
from tests.integration.connections import end_sessions
from tests.integration.pipeline import Pipeline, Rig
from tests.integration.serving import served
from tests.stack import LIMIT_S, Stack

PATIENT = ("--timeout", str(LIMIT_S))
HASTE_S = 10.0
"""What a check may take where something hangs on purpose."""


async def doctor(p: Pipeline, *arguments: str, **settings: str) -> tuple[int, Any]:
    """The exit code of `badges doctor --json`, and what it prints."""
    told = {"BADGES_CHECKPOINTS": "", **settings}
    command = await Command(p, "doctor", "--json", *arguments, **told).start()
    code, out, _ = await command.end()
    print(out)
    return code, json.loads(out)


def troubles(answer: Any) -> dict[str, str]:
    """The status of each check that is not ok, by its id."""
    return {each["id"]: each["status"] for each in answer["checks"] if each["status"] != "ok"}


def test_a_whole_stack_is_ok_in_every_line(working: Rig, tmp_path: Path) -> None:
    page = tmp_path / "page.md"

    async def is_well(p: Pipeline, address: str) -> bool:
        folder = {"BADGES_CHECKPOINTS": str(tmp_path / "checkpoints"), "BADGES_API_URL": address}
        code, answer = await doctor(p, "--report", str(page), *PATIENT, **folder)
        assert answer["ok"] is (code == 0)
        return troubles(answer) == {} and answer["unasked"] == {}

    async def test(p: Pipeline) -> None:
        await p.settle()
        with served(p) as address:
            await p.until(partial(is_well, p, address), what="a stack that is well")
        text = page.read_text(encoding="utf-8")
        assert "- result: ok" in text
        assert "| probe | ok | badge_heartbeats | a changed row was in Kafka after" in text
        for secret in p.stack.infra.passwords.values():
            assert secret not in text

    working.run(test)


def test_people_are_told_in_a_table_by_part(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        settings = {"BADGES_API_URL": f"http://{HOST}:1", "COLUMNS": "160"}
        command = await Command(p, "doctor", *PATIENT, **settings).start()
        code, out, _ = await command.end()
        assert code == 1
        lines = [line.strip() for line in out.splitlines()]
        assert lines.index("Postgres") < lines.index("Kafka Connect") < lines.index("API")
        assert any(line.startswith("✓") and "publication" in line for line in lines)
        assert any(
            line.startswith("✗ failed") and "the API does not answer" in line for line in lines
        )
        assert any(line.startswith("→ start `badges api`") for line in lines)
        assert "Not asked before api is ok: api_ready." in lines

    working.run(test)


def test_what_is_safe_is_mended_by_fix(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.pool.execute("DROP INDEX badge_award_events_xid_id_idx")
        await p.site.cluster.change(p.log.topic, {"retention.ms": "315360000000"})
        await p.site.connect.stop(p.log.connector)
        before = await p.site.connect.config(p.log.connector)
        done: list[str] = []

        async def is_mended() -> bool:
            """Whether it is, and nothing is left to do; what hardly answers is mended next time."""
            code, answer = await doctor(p, "--fix", *PATIENT)
            assert code == 1, "no worker runs, and --fix starts none"
            done.extend(answer["done"])
            return troubles(answer) == {"workers": "failed"} and not answer["done"]

        await p.until(is_mended, 2 * LIMIT_S, "a stack in which no worker runs, and no more")
        # What was mended before may have to be again, as where Connect has no time just then.
        assert {*done} == {"badges migrate", "set the topics' settings", "badges provision"}
        settings = await p.site.cluster.settings(p.log.topic)
        assert {name: settings[name] for name in LOG_SETTINGS} == LOG_SETTINGS
        assert await p.site.connect.config(p.log.connector) == before

    unmanned.run(test)


def test_a_worker_that_is_missing_is_named_until_one_works(unmanned: Rig) -> None:
    async def workers(p: Pipeline) -> str | None:
        return troubles((await doctor(p, *PATIENT))[1]).get("workers")

    async def is_well(p: Pipeline) -> bool:
        code, answer = await doctor(p, *PATIENT)
        return code == 0 and troubles(answer) == {}

    async def test(p: Pipeline) -> None:
        assert await workers(p) == "failed"
        await p.at_work(p.worker())
        await p.settle()
        await p.until(partial(is_well, p), what="a stack that is well")

    unmanned.run(test)


def test_who_hangs_costs_seconds_and_is_one_line(unmanned: Rig, stack: Stack) -> None:
    async def asked(p: Pipeline, part: str) -> bool:
        """Ask while the part hangs; whether Kafka, which does not, had time to answer."""
        stack.pause(part)
        try:
            began = time.monotonic()
            code, answer = await doctor(p, "--timeout", str(HASTE_S))
            took = time.monotonic() - began
        finally:
            stack.resume(part)
        assert code == 1
        status = {each["id"]: each["status"] for each in answer["checks"]}
        assert status[part] == "failed"
        assert part in answer["unasked"].values()
        # One limit is waited for, and not one for each check.
        assert took < LIMIT_S
        return bool(status["kafka"] == "ok")

    async def test(p: Pipeline) -> None:
        for part in ("connect", "postgres"):
            await p.until(partial(asked, p, part), what="that Kafka answers")

    unmanned.run(test)


def test_what_answers_as_the_api_must_be_it_and_able_to_serve(unmanned: Rig) -> None:
    async def found(p: Pipeline, address: str) -> set[str]:
        _, answer = await doctor(p, *PATIENT, BADGES_API_URL=address)
        return {*troubles(answer)} & {"api", "api_ready"}

    async def is_well(p: Pipeline, address: str) -> bool:
        return await found(p, address) == set()

    async def serves_nobody(p: Pipeline, address: str) -> bool:
        return await found(p, address) == {"api_ready"}

    async def test(p: Pipeline) -> None:
        assert await found(p, p.stack.connect_url) == {"api"}
        with served(p) as address:
            await p.until(partial(is_well, p, address), what="an API that is well")
            await p.pool.execute("REVOKE CONNECT ON DATABASE " + p.site.database + " FROM PUBLIC")
            try:
                await end_sessions(p, "badges_api")

                async def is_away() -> bool:
                    async with httpx.AsyncClient(timeout=LIMIT_S) as client:
                        return (await client.get(f"{address}/readyz")).status_code != 200

                await p.until(is_away, what="an API that cannot serve")
                await p.until(partial(serves_nobody, p, address), what="that it is named")
            finally:
                await p.pool.execute("GRANT CONNECT ON DATABASE " + p.site.database + " TO PUBLIC")

    unmanned.run(test)
