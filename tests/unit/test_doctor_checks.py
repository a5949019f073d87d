"""What doctor's checks are made of, without anything to ask."""

import asyncio
import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from errno import EACCES
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from badges.cli.commands import app
from badges.doctor import database_schema, kafka, kafka_connect, log, postgres, report, workers
from badges.doctor.checks import CHECKS, SERVERS
from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check, Examination, examine
from badges.doctor.lines import CheckResult, Line, failed, ok, warning
from badges.doctor.mending import mend, wanted
from badges.doctor.waiting import LOOKED_AT
from badges.settings import Settings
from schema import checks
from schema.wanted import WANTED
from streams.log import topics
from streams.log.cluster import Member, Placement
from streams.log.generations import Generation
from streams.log.wal import Slot
from tests.builders import generation

PAGE = Path(__file__).parents[2] / "docs" / "operating" / "doctor.md"
IDS = [*SERVERS, *(check.id for check in CHECKS)]
WRITTEN = 8 << 30
"""Up to where the WAL is written, in bytes."""
IN_SYNC = "min.insync.replicas"
MENTOR = "6a1c2f1e-5b0d-4a53-9d0a-2f5f1c9f7a11"


def test_every_check_is_in_the_table_once() -> None:
    rows = re.findall(r"^\| (`.+?) \|", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    told = [name for row in rows for name in row.split(", ")]
    assert sorted(told) == sorted(f"`{id}`" for id in IDS)


def test_a_check_waits_for_what_is_asked_before_it() -> None:
    for place, check in enumerate(CHECKS):
        before = {*SERVERS, *(each.id for each in CHECKS[:place])}
        assert {*check.after, *check.needs} <= before, check.id


def test_every_check_of_the_schema_belongs_to_one_of_doctors() -> None:
    asked = {"other_kinds", "not_ours", "unfilled", "without_cascade", "unique_slug", "presence"}
    asked |= {*checks.ROWS, *checks.RIGHTS, "activities_index", "identities", "publication"}
    asked |= {"other_publications", "columns", "keys", "renamed", "gap", "newer"}
    asked |= {thing.kind for thing in WANTED.things}
    known = [name for names in database_schema.FOUND_BY.values() for name in names]
    assert len(known) == len(set(known))
    assert asked == {*known, *database_schema.ELSEWHERE}


def test_alerts_that_are_left_out_have_a_check_of_their_own() -> None:
    assert {*LOOKED_AT.values()} <= {*IDS}
    assert "partition_failed" not in LOOKED_AT


SERVER = {
    "wal_level": "logical",
    "slots": 10,
    "slots_used": 9,
    "senders": 10,
    "senders_used": 9,
    "connections": 97,
    "connections_used": 87,
    "keeps_mb": -1,
}


@pytest.mark.parametrize(
    ("judge", "broken", "status"),
    [
        (postgres.wal_level, {"wal_level": "replica"}, "failed"),
        (lambda s: postgres.free(s, "slots", "x"), {"slots_used": 10}, "warning"),
        (lambda s: postgres.free(s, "senders", "x"), {"senders_used": 10}, "warning"),
        (postgres.connections, {"connections_used": 88}, "warning"),
        (postgres.wal_kept, {"keeps_mb": 1023}, "warning"),
    ],
)
def test_settings_of_the_server(judge: Any, broken: dict[str, Any], status: str) -> None:
    assert judge(SERVER).status == "ok"
    found = judge({**SERVER, **broken})
    assert found.status == status
    assert found.fix


def override(role: str, database: str, value: str) -> dict[str, str]:
    """What ALTER ROLE and ALTER DATABASE set; an empty name is everybody, or everywhere."""
    return {"role": role, "database": database, "name": "statement_timeout", "value": value}


CONNECTS_OWN = "ALTER ROLE badges_connect SET statement_timeout = 0;"


@pytest.mark.parametrize(
    ("overrides", "server", "fixes"),
    [
        ([], "0", []),
        ([], "10s", [CONNECTS_OWN]),
        ([override("", "app", "10s")], "0", [CONNECTS_OWN]),
        ([override("", "", "10s")], "0", [CONNECTS_OWN]),
        ([override("", "", "10s"), override("", "app", "0")], "10s", []),
        ([override("", "app", "10s"), override("badges_connect", "", "0")], "10s", []),
        ([override("somebody", "app", "10s")], "0", []),
        (
            [override("badges_worker", "", "10s")],
            "0",
            ['ALTER ROLE "badges_worker" RESET statement_timeout;'],
        ),
        (
            [override("", "app", "10s"), override("badges_connect", "app", "20s")],
            "0",
            ['ALTER ROLE "badges_connect" IN DATABASE "app" RESET statement_timeout;'],
        ),
    ],
)
def test_what_ends_the_sessions_of_our_roles(
    overrides: list[dict[str, str]], server: str, fixes: list[str]
) -> None:
    found = [*postgres.timeouts(overrides, {"statement_timeout": server})]
    assert [each.fix for each in found] == fixes
    assert {each.status for each in found} <= {"warning"}


@pytest.mark.parametrize(
    ("slot", "status"),
    [
        (Slot("reserved", 0, restart=WRITTEN - (1 << 20)), "ok"),
        (Slot("extended", 0, restart=WRITTEN - (2 << 30), safe_wal_size=3 << 30), "warning"),
        (Slot("extended", 0, restart=WRITTEN - (2 << 30), safe_wal_size=1 << 30), "failed"),
        (Slot("unreserved", 0, restart=WRITTEN), "failed"),
    ],
)
def test_what_a_slot_holds(slot: Slot, status: str) -> None:
    assert log.slot_holds("a slot", slot, WRITTEN).status == status


def test_replicas_that_are_missing_or_behind_are_told() -> None:
    whole = Placement("cluster", 3, {"log": 3}, {"log": 0})
    assert [*kafka.replicas(whole, "log", 3)] == []
    assert [*kafka.replicas(Placement("cluster", 1, {"log": 1}, {"log": 0}), "log", 1)] == []
    few, behind = kafka.replicas(Placement("cluster", 3, {"log": 2}, {"log": 4}), "log", 3)
    assert (few.subject, behind.subject) == ("log", "log")
    assert "4 partitions" in behind.message


def test_replicas_are_those_that_the_log_has_whatever_the_setting_says() -> None:
    (fewer,) = kafka.replicas(Placement("cluster", 3, {"log": 3}, {"log": 0}), "log", 1)
    assert fewer.subject == "BADGES_REPLICATION_FACTOR"
    assert "the log has 3 replicas" in fewer.message
    alone, few = kafka.replicas(Placement("cluster", 3, {"log": 1}, {"log": 0}), "log", 3)
    assert "the log has one replica on 3 brokers" in alone.message
    assert few.subject == "log"
    (alone,) = kafka.replicas(Placement("cluster", 3, {"log": 1}, {"log": 0}), "log", 1)
    assert alone.subject == "log"


class Placed(Deployment):
    """A log that is live, with so many replicas on three brokers."""

    replicas = 3

    async def live(self) -> Generation:
        return generation(1)

    async def placement(self) -> Placement:
        topic = generation(1).topic
        return Placement("cluster", 3, {topic: self.replicas}, {topic: 0})


@pytest.mark.parametrize(("replicas", "in_sync"), [(1, "1"), (2, "1"), (3, "2")])
@pytest.mark.parametrize("setting", [1, 3])
def test_replicas_in_sync_follow_those_that_the_topic_has(
    replicas: int, in_sync: str, setting: int
) -> None:
    async def test() -> None:
        async with Placed(Settings(replication_factor=setting), 0.1) as at:
            at.replicas = replicas
            log, *_ = await at.topics()
            assert log.settings[IN_SYNC] == in_sync

    asyncio.run(test())


def test_fix_never_asks_for_fewer_replicas_in_sync() -> None:
    needed = {IN_SYNC: "2", "retention.ms": "-1"}
    assert [*kafka.unfit("log", needed, needed)] == []
    found = [*kafka.unfit("log", {IN_SYNC: "3", "retention.ms": "1"}, needed)]
    assert [each.safe for each in found] == ["topics", None]
    assert [IN_SYNC in each.message for each in found] == [False, True]
    assert topics.repairs({IN_SYNC: "3", "retention.ms": "1"}, needed) == {"retention.ms": "-1"}
    (few,) = kafka.unfit("log", {IN_SYNC: "1", "retention.ms": "-1"}, needed)
    assert few.safe == "topics"
    assert topics.repairs({IN_SYNC: "1", "retention.ms": "-1"}, needed) == {IN_SYNC: "2"}


def test_versions_are_compared_by_their_first_two_numbers() -> None:
    assert kafka_connect.older("3.6.2.Final", "3.7.0.Final")
    assert not kafka_connect.older("3.7.0.Beta1", "3.7.0.Final")
    assert not kafka_connect.older("3.10.0.Final", "3.7.0.Final")
    assert not kafka_connect.older("4.0", "3.7.0.Final")


def test_a_static_name_that_went_to_another_member_is_told() -> None:
    one, other = (f"host-1a2b3c4d-0-1-{id}" for id in (MENTOR, MENTOR.replace("6", "7")))
    before = [Member(one, "here", [0])]
    assert workers.displaced(before, before) == []
    assert workers.displaced(before, []) == []
    assert workers.displaced(before, [Member(other, "here", [0])]) == ["host-1a2b3c4d-0-1"]


async def seen(*checks: Check, **settings: Any) -> Sequence[Line]:
    """The lines of checks that need no server."""
    async with Deployment(Settings(**settings), 0.1) as at:
        return (await examine(at, {}, checks)).lines


def test_checkpoints_where_this_user_may_not_look_are_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    stat, access = os.stat, os.access

    # Root may search and write everything, so here is what the system tells others.
    def refused(path: Any, *arguments: Any, **named: Any) -> os.stat_result:
        if closed in Path(path).parents:
            raise PermissionError(EACCES, "Permission denied", str(path))
        return stat(path, *arguments, **named)

    monkeypatch.setattr(os, "stat", refused)
    monkeypatch.setattr(os, "access", lambda path, mode: path != closed and access(path, mode))
    (check,) = (check for check in CHECKS if check.id == "checkpoints")
    (found,) = asyncio.run(seen(check, checkpoints=closed / "of-the-worker"))
    assert found.result.status == "warning"
    assert f"{closed} is not for this user to write to" in found.result.message


@pytest.mark.parametrize("error", [TimeoutError(), PermissionError("no"), httpx.ReadError("gone")])
def test_whatever_cannot_be_asked_is_no_server_that_does_not_answer(error: Exception) -> None:
    async def ask(_: Deployment) -> Sequence[CheckResult]:
        raise error

    (found,) = asyncio.run(seen(Check("settings", "this host", ask)))
    assert found.failed
    assert (found.result.subject, found.result.message) == ("settings", "this cannot be told")


def line(finding: CheckResult) -> Line:
    return Line("rows", "schema", finding)


def test_a_report_repeats_nobodys_id_and_nothing_that_others_wrote() -> None:
    found = Examination(
        [
            line(failed(MENTOR, f"award {MENTOR} | twice", f"DELETE '{MENTOR}';", words="Kari")),
            line(ok("rows", "fine")),
        ],
        {"lag": "workers"},
    )
    text = report.page(found, datetime(2026, 5, 1, 12, tzinfo=UTC), "db:5432/badges")
    assert MENTOR not in text
    assert "Kari" not in text
    assert r"| rows | failed | (id) | award (id) \| twice | `DELETE '(id)';` |" in text
    assert "- looked at: 2026-05-01 12:00:00 UTC" in text
    assert "Not asked before workers is ok: lag." in text
    assert "Kari" in found.lines[0].sentence


def test_what_is_safe_is_done_once_and_in_order() -> None:
    lines = [
        line(warning("a", "a", None, safe="provision")),
        line(failed("b", "b", None, safe="migrate")),
        line(failed("c", "c", None, safe="provision")),
        line(failed("d", "d", "badges resnapshot")),
    ]
    assert wanted(lines) == ["migrate", "provision"]
    assert wanted([line(ok("a", "a"))]) == []


def test_help_says_what_is_deleted() -> None:
    shown = CliRunner().invoke(app, ["doctor", "--help"], env={"COLUMNS": "200"}).output
    told = " ".join(re.sub(r"[│|]", " ", shown).split())
    assert "slots and connectors of generations that are over are deleted" in told


def missing(id: str) -> list[Line]:
    """What doctor finds where its settings lead to another stack: a topic is gone, and this."""
    topic = failed("badges.dead-letters", "the topic is missing", None, safe="provision")
    setting = warning("badges.heartbeat.1", "retention.ms is -1", None, safe="topics")
    lost = failed("topic_missing", "the topic badges.mentor-log.1 is gone", "badges resnapshot")
    return [Line("topics", "Kafka", topic), Line("topics", "Kafka", setting), Line(id, "log", lost)]


@pytest.mark.parametrize("id", ["log_whole", "connect_kafka"])
def test_nothing_is_made_where_the_log_may_not_be(id: str) -> None:
    said: list[str] = []

    async def test() -> None:
        # It is connected to nothing, so whatever is done fails.
        async with Deployment(Settings(), 0.1, said.append) as at:
            assert await mend(at, missing(id)) == []

    asyncio.run(test())
    because = f"not done: {id} has to be ok before (the topic badges.mentor-log.1 is gone)"
    assert said == [
        *("set the topics' settings: for topics", because),
        *("badges provision: for topics", because),
    ]
