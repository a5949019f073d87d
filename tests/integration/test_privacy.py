"""`badges export` and `badges forget` on the whole pipeline: nothing of a person is left."""

import asyncio
import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from badges.privacy.checkpoints import holding
from sinks.dead_letters import left
from streams.filling import provisioning
from streams.filling.provisioning import resnapshot
from streams.log.reader import KafkaLog
from tests import often_checkpoints
from tests.integration.commands import Command
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.refusing import refusing, waiting
from tests.stack import LIMIT_S

NAME = "Solveig Testdottir Unlikely"


@dataclass
class Somebody:
    """A mentor with something everywhere, and the ids of their rows."""

    mentor: UUID
    rows: set[UUID]

    @property
    def traces(self) -> list[str]:
        """What must be found nowhere."""
        return [str(self.mentor), *map(str, self.rows), NAME]


async def run(
    p: Pipeline, *arguments: str, code: int = 0, checkpoints: Path | None = None
) -> tuple[Any, str]:
    """What a command prints, as JSON, and what it says beside."""
    directory = str(checkpoints or "")
    command = await Command(p, *arguments, "--json", BADGES_CHECKPOINTS=directory).start()
    ended, out, err = await command.end()
    assert ended == code, (ended, out, err)
    return json.loads(out), err


async def forget(
    p: Pipeline, mentor: UUID, *, code: int = 0, checkpoints: Path | None = None
) -> Any:
    """What `badges forget` prints, which may wait for as long as tests do."""
    patient = ("forget", str(mentor), "--wait", f"{LIMIT_S:g}")
    told, _ = await run(p, *patient, code=code, checkpoints=checkpoints)
    return told


async def somebody(p: Pipeline, organization: UUID, badge: UUID) -> Somebody:
    """A mentor with rows, awards, events, stats, a dead letter, something refused, and alerts.

    A trigger that refuses awards of another badge must be there.
    """
    mentor = await p.mentor(organization)
    await p.pool.execute("UPDATE peer_mentors SET display_name = $2 WHERE id = $1", mentor, NAME)
    rows = {await p.activity(mentor, f"2026-01-0{day}") for day in (1, 2, 3)}
    course, pause = uuid4(), uuid4()
    await p.pool.execute(
        "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
        "VALUES ($1, $2, 'basic', '2026-01-02')",
        course,
        mentor,
    )
    await p.pool.execute(
        "INSERT INTO mentor_pauses (id, peer_mentor_id, starts_on) VALUES ($1, $2, '2026-02-01')",
        pause,
        mentor,
    )
    await p.until(lambda: p.award(mentor, badge), what="the award")
    await p.until(lambda: waiting(p, mentor), what="that an award waits")
    by_hand = await p.badge(organization, count_of(1000))
    await p.pool.execute(
        "SELECT award_badge($1, $2, NULL, '{}'::jsonb, awarded_by => 'Anna')", mentor, by_hand
    )
    unusable = await p.activity(mentor, "2026-01-04")
    await p.settle()
    await p.pool.execute("UPDATE activities SET activity_date = 'infinity' WHERE id = $1", unusable)
    await p.settle()
    await p.pool.execute(
        "INSERT INTO badge_alerts (kind, detail, resolved_at) VALUES "
        "('awards_differ', jsonb_build_object('mentors', jsonb_build_array($1::text, $2::text)), "
        "now())",
        str(mentor),
        str(organization),
    )
    awards = await p.pool.fetch("SELECT id FROM badge_awards WHERE peer_mentor_id = $1", mentor)
    own = {course, pause, unusable, *(row["id"] for row in awards)}
    return Somebody(mentor, rows | own)


async def tables_with(p: Pipeline, texts: list[str]) -> dict[str, int]:
    """Every table of the database in which any of the texts stands, and in how many rows."""
    tables = await p.pool.fetch(
        "SELECT format('%I.%I', schemaname, tablename) AS name FROM pg_tables "
        "WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    found = {}
    for table in tables:
        found[table["name"]] = await p.pool.fetchval(
            f"SELECT count(*) FROM {table['name']} t, unnest($1::text[]) AS text "
            "WHERE position(lower(text) IN lower(t::text)) > 0",
            texts,
        )
    return {name: number for name, number in found.items() if number}


async def topic_has(p: Pipeline, topic: str, texts: list[str]) -> int:
    """In how many records of a topic any of the texts stands, dead letters decoded."""
    (found,) = (await p.site.cluster.topics([topic])).values()
    starts, ends = await p.site.cluster.starts(found), await p.site.cluster.ends(found)
    number = 0
    for partition in range(found.partitions):
        places = partition, starts[partition], ends[partition]
        async for chunk in KafkaLog(p.site.access, topic).read(*places):
            for record in chunk:
                said = repr((record.key, record.value, left([record]))).lower()
                number += any(text.lower() in said for text in texts)
    return number


def test_nothing_of_a_deleted_mentor_is_left(own: Rig, tmp_path: Path) -> None:
    async def test(p: Pipeline) -> None:
        worker = p.worker(BADGES_CHECKPOINTS=str(tmp_path))
        worker.module = often_checkpoints.__name__
        worker.start()

        async def in_checkpoints(number: int) -> bool:
            return sum(1 for _ in holding(tmp_path, str(gone.mentor))) == number

        organization = await p.organization()
        badge = await p.badge(organization, count_of(2))
        refused = await p.badge(organization, count_of(3))
        letters = f"{p.site.prefix}.dead-letters"
        async with refusing(p, refused):
            gone = await somebody(p, organization, badge)
            await p.until(partial(in_checkpoints, 1), what="a checkpoint that holds the mentor")
            # What waits when a log goes live is kept with the log.
            p.log = await resnapshot(p.site)
            await p.settle()
            document, _ = await run(p, "export", str(gone.mentor), "--log")
            told = {name: len(rows) for name, rows in document["sections"].items() if rows}
            assert told.pop("log_records") == document["sections"]["log"][0]["records"]
            assert told == {
                "peer_mentors": 1, "activities": 4, "training_completions": 1, "mentor_pauses": 1,
                "badge_awards": 2, "badge_award_events": 2, "peer_mentor_stats": 1,
                "badge_refused_writes": 1, "badge_alerts": 2, "badge_logs_found": 1,
                "dead_letters": 2, "log": 1,
            }  # fmt: skip
            assert document["sections"]["peer_mentors"][0]["display_name"] == NAME

            refusal = await forget(p, gone.mentor, code=1)
            assert "DELETE FROM peer_mentors" in refusal["hint"]
            await p.pool.execute("DELETE FROM peer_mentors WHERE id = $1", gone.mentor)
            forgotten = await forget(p, gone.mentor, checkpoints=tmp_path)
        found, removed = forgotten["found"], forgotten["removed"]
        # Between its two looks the worker may have replaced the checkpoint of today's log.
        assert found.pop("checkpoints") - removed.pop("checkpoints") in {0, 1}
        assert found == removed
        assert found.keys() == {"badge_alerts", "badge_logs", "dead_letters"}
        in_log, elsewhere = forgotten["left"]
        assert in_log["where"] == p.log.topic
        assert "resnapshot" in in_log["until"]
        assert "checkpoints" in elsewhere["where"]

        assert await tables_with(p, gone.traces) == {}
        # One that was begun before the delete may come after it, and not for long.
        await p.until(partial(in_checkpoints, 0), what="that no checkpoint holds the mentor")
        assert await topic_has(p, letters, gone.traces) == 0
        assert await topic_has(p, p.log.topic, gone.traces) > 0
        again = await forget(p, gone.mentor)
        assert again["found"] == again["removed"] == {}
        rest, said = await run(p, "export", str(gone.mentor))
        assert rest["is_deleted"]
        assert [name for name, rows in rest["sections"].items() if rows] == ["log"]
        assert "log (1)" in said

        p.log = await resnapshot(p.site)
        assert await topic_has(p, p.log.topic, gone.traces) == 0
        assert await topic_has(p, letters, gone.traces) == 0
        again = await forget(p, gone.mentor)
        assert again["left"] == []
        nobody, _ = await run(p, "export", str(gone.mentor), code=2)
        assert "nothing is kept" in nobody["error"]

    own.run(test)


def test_what_no_worker_has_decided_may_come_again(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        other = await p.mentor(organization)
        badge = await p.badge(organization, count_of(1))
        for each in (mentor, other):
            await p.activity(each, "2026-01-01")
            row = await p.activity(each, "2026-01-02")
            await p.pool.execute(
                "UPDATE activities SET activity_date = 'infinity' WHERE id = $1", row
            )
        p.ensure_a_worker()
        await p.until(lambda: p.award(mentor, badge), what="the award")
        await p.come_to_rest()
        p.end_workers()
        before, _ = await run(p, "export", str(other))
        assert len(before["sections"]["dead_letters"]) == 1
        await p.pool.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)

        dry = await Command(p, "forget", str(mentor), "--dry-run").start()
        code, out, _ = await dry.end()
        print(out)
        assert code == 0
        assert "Would remove dead_letters: 1" in out
        assert f"Left in {p.log.topic}: " in out
        early, _ = await run(p, "forget", str(mentor), "--wait", "1", code=1)
        assert early["removed"]["dead_letters"] == 1
        assert [each["what"] for each in early["left"] if each["until"] is None] == [
            "the mentor's delete"
        ]
        kept = [each["what"] for each in early["left"] if "dead-letters" in each["where"]]
        # The broker may have cleaned already.
        assert kept in ([], ["records of removed dead letters: 1"])
        p.ensure_a_worker()
        for told in await asyncio.gather(forget(p, mentor), forget(p, mentor)):
            assert all(each["until"] for each in told["left"])
        assert await tables_with(p, [str(mentor)]) == {}
        assert await topic_has(p, f"{p.site.prefix}.dead-letters", [str(mentor)]) == 0
        after, _ = await run(p, "export", str(other))
        assert after["sections"] == before["sections"]

    unmanned.run(test)


def test_a_topic_of_an_older_version_is_cleaned_as_soon(rig: Rig) -> None:
    async def test(p: Pipeline) -> None:
        topic, name = f"{p.site.prefix}.dead-letters", "max.compaction.lag.ms"
        before = await p.site.cluster.settings(topic)
        assert before[name] == "1000"
        older = {name: "9000000000"}

        async def are_in_force(settings: dict[str, str]) -> bool:
            return await p.site.cluster.settings(topic) == settings

        # A broker hears of a change after it is answered.
        await p.site.cluster.change(topic, older)
        await p.until(partial(are_in_force, before | older), what="the older settings")
        await provisioning.provision(p.site)
        await p.until(partial(are_in_force, before), what="the settings of before")

    rig.run(test)
