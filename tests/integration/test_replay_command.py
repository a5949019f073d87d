"""How `badges replay` is used: what it asks for, what it refuses, and how it ends."""

import json

import pytest

from badges.starting import INTERRUPTED
from streams.errors import WRONG_USE
from tests.integration.commands import Command, answer
from tests.integration.pipeline import Pipeline, Rig, count_of, criteria_text

SESSIONS = (
    "SELECT count(*) FROM pg_stat_activity "
    "WHERE application_name = 'badges replay' AND datname = current_database()"
)


def test_todays_rules_only_show(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(3), key="three")
        for day in (1, 2, 3):
            await p.activity(mentor, f"2026-03-0{day}")
        await p.until(lambda: p.award(mentor, badge), what="the award")
        await p.pool.execute(
            "UPDATE badge_definitions SET criteria = $2 WHERE id = $1",
            badge,
            criteria_text(count_of(5)),
        )
        await p.settle()

        of = ("--organization", str(organization), "--badge", "three", "--max-rate", "0")
        assert (await answer(p, "replay", *of))["nothing_to_do"]
        today = await answer(p, "replay", *of, "--rules", "today")
        (item,) = today["items"]
        assert (item["kind"], item["peer_mentor_id"]) == ("withdrawn", str(mentor))
        assert (item["key"], item["earned_on"]) == ("three", "2026-03-03")

        code, out, _ = await (
            await Command(p, "replay", "--rules", "today", "--apply", "--json").start()
        ).end()
        assert code == WRONG_USE
        assert "save its definition anew" in json.loads(out)["hint"]

    working.run(test)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_ctrl_c_ends_it_and_every_process_of_its(working: Rig, processes: str) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        await p.activity(mentor, "2026-03-01")
        await p.settle()
        command = Command(p, "replay", "--apply", "--max-rate", "1", "--processes", processes)
        await command.start()
        await p.until(lambda: reads(p), 120, "that it reads")
        command.interrupt()
        code, out, err = await command.end()
        assert (code, out) == (INTERRUPTED, "")
        assert "Traceback" not in err
        await p.until(lambda: is_gone(p), what="the end of its sessions")

    working.run(test)


async def reads(p: Pipeline) -> bool:
    """Whether a replay has a session, and has asked something."""
    return int(await p.pool.fetchval(SESSIONS)) > 0


async def is_gone(p: Pipeline) -> bool:
    """Whether no replay has a session."""
    return int(await p.pool.fetchval(SESSIONS)) == 0


@pytest.mark.parametrize(
    ("arguments", "settings", "said"),
    [
        ((), {"BADGES_KAFKA_BOOTSTRAP": "127.0.0.1:1"}, "BADGES_KAFKA_BOOTSTRAP"),
        (("--badge", "no-such-badge"), {}, "no-such-badge"),
        (("--organization", "nowhere"), {}, "nowhere"),
        (("--mentor", "nobody"), {}, "--mentor"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    working: Rig, arguments: tuple[str, ...], settings: dict[str, str], said: str
) -> None:
    async def test(p: Pipeline) -> None:
        code, out, err = await (await Command(p, "replay", *arguments, **settings).start()).end()
        assert (code, out) == (WRONG_USE, "")
        (line,) = err.splitlines()
        assert said in line

    working.run(test)


def test_a_partition_that_nobody_has_decided_is_not_compared(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.newcomer()
        code, _, err = await (await Command(p, "replay").start()).end()
        assert code == WRONG_USE
        assert "was not decided yet" in err

    own.run(test)
