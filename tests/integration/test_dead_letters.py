"""Rows that nobody can use, on the whole pipeline: gone, told, and taken in again once mended."""

import asyncio
import json
import os
import sys
from collections.abc import Sequence
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest
from aiokafka import AIOKafkaProducer

from streams.unusable import MOST_IN_A_ROW
from tests.integration.alerts import alert, all_closed, told
from tests.integration.pipeline import Pipeline, Rig, count_of, partition_of
from tests.integration.refusing import refusing, waiting
from tests.stack import LIMIT_S

MENDED_S = 180.0
"""Seconds for a thousand rows to be decided, or taken in again, on a busy machine."""

BADGES = [sys.executable, "-m", "badges.cli.main", "dead-letters"]

CHANGES = {
    "text": (
        "ALTER TABLE activities DROP CONSTRAINT activities_duration_minutes_check, "
        "ALTER COLUMN duration_minutes TYPE text USING duration_minutes::text",
        "ALTER TABLE activities ALTER COLUMN duration_minutes TYPE integer "
        "USING duration_minutes::integer, "
        "ADD CONSTRAINT activities_duration_minutes_check CHECK (duration_minutes >= 0)",
    ),
    "numeric": (
        "ALTER TABLE activities ALTER COLUMN duration_minutes TYPE numeric",
        "ALTER TABLE activities ALTER COLUMN duration_minutes TYPE integer",
    ),
}
"""How the type of a column is changed to one, and back."""

UNTIED = """
SET LOCAL allow_system_table_mods = on;
CREATE TEMP TABLE tied ON COMMIT DROP AS
    SELECT * FROM pg_depend WHERE classid = 'pg_publication_rel'::regclass
        AND refobjid = 'public.activities'::regclass AND refobjsubid > 0;
DELETE FROM pg_depend d USING tied t
    WHERE (d.classid, d.objid, d.refobjid, d.refobjsubid)
        = (t.classid, t.objid, t.refobjid, t.refobjsubid);
{};
INSERT INTO pg_depend SELECT * FROM tied;
"""
"""Postgres lets nobody change the type of a column that is published, unless it does not know."""


async def dead_letters(
    p: Pipeline, *arguments: str, code: int = 0, **environment: str
) -> dict[str, Any]:
    """What `badges dead-letters ... --json` prints to the tables' owner, who expects that code.

    It waits some seconds for Kafka, and people try again when it had no time.
    """
    if arguments[0] == "retry" and "--wait" not in arguments:
        arguments = (*arguments, "--wait", str(MENDED_S))
    for _ in range(3):
        ended, out, errors = await _dead_letters(p, *arguments, **environment)
        if ended == code or "Kafka at" not in errors or arguments[0] == "drop":
            break
    assert ended == code, (ended, out, errors)
    return json.loads(out) if out.strip() else {"error": errors}


async def _dead_letters(p: Pipeline, *arguments: str, **environment: str) -> tuple[int, str, str]:
    process = await asyncio.create_subprocess_exec(
        *BADGES,
        *arguments,
        "--json",
        env={
            **os.environ,
            "BADGES_DATABASE_URL": p.owner_url,
            "BADGES_KAFKA_BOOTSTRAP": p.stack.kafka_bootstrap,
            "BADGES_PREFIX": p.site.prefix,
            **environment,
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        stdin=asyncio.subprocess.DEVNULL,
    )
    async with asyncio.timeout(2 * LIMIT_S):
        out, errors = await process.communicate()
    assert process.returncode is not None
    return process.returncode, out.decode(), errors.decode()


async def listed(p: Pipeline, table: str) -> list[dict[str, Any]]:
    """The letters of a table."""
    found: list[dict[str, Any]] = (await dead_letters(p, "list", "--table", table))["items"]
    return found


async def newcomer_in(p: Pipeline, organization: UUID, partition: int) -> UUID:
    """A new mentor whose rows are in a partition."""
    while partition_of(new := uuid4(), p.log.partitions) != partition:
        pass
    await p.pool.execute(
        "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Nobody')",
        new,
        organization,
    )
    return new


async def insert(p: Pipeline, mentor: UUID, rows: int, minutes: str) -> None:
    """Insert activities at once, on the first days of 2026; `minutes` is SQL."""
    await p.pool.execute(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, "
        f"duration_minutes) SELECT gen_random_uuid(), '{mentor}', 'visit', "
        f"date '2026-01-01' + n % 60, {minutes} FROM generate_series(1, {rows}) n"
    )


async def stats_of(p: Pipeline, mentor: UUID) -> tuple[int, int]:
    """How many activities a mentor has, and minutes."""
    row = await p.stats(mentor)
    return (0, 0) if row is None else (row["activity_count"], row["minutes_total"])


async def counts(p: Pipeline, mentor: UUID, activities: int, minutes: int) -> bool:
    return await stats_of(p, mentor) == (activities, minutes)


async def change_type(p: Pipeline, statement: str) -> None:
    async with p.pool.acquire() as connection, connection.transaction():
        await connection.execute(UNTIED.format(statement))


async def stand(p: Pipeline, partitions: Sequence[int]) -> bool:
    """Whether it is told of each partition that it stands still."""
    return all([await alert(p, "dead_letters", f"partition {number}") for number in partitions])


async def none_stands(p: Pipeline, partitions: Sequence[int]) -> bool:
    return not any([await alert(p, "dead_letters", f"partition {number}") for number in partitions])


@pytest.mark.parametrize("kind", CHANGES)
def test_a_column_of_another_type_makes_partitions_stand_until_it_is_mended(
    working: Rig, kind: str
) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        badge = await p.badge(organization, count_of(250), revocable=True)
        mentors = [await newcomer_in(p, organization, n) for n in (0, 0, 1, 1)]
        other = await newcomer_in(p, organization, 2)
        for mentor in mentors:
            await insert(p, mentor, 10, "10")
        await p.settle()
        change, back = CHANGES[kind]
        await change_type(p, change)
        value = "'20'" if kind == "text" else "20"
        for mentor in mentors:
            await insert(p, mentor, 250, value)

        await p.until(lambda: stand(p, (0, 1)), what="that two partitions stand")
        for partition in (0, 1):
            standing = await alert(p, "dead_letters", f"partition {partition}")
            assert standing is not None
            assert f"activities.duration_minutes has type {kind}" in standing["message"]
            assert standing["columns"] == [{"column": "duration_minutes", "type": kind}]
        first = await told(p, "dead_letters", "activities")
        assert "duration_minutes" in first["reason"]
        assert first["topic"] == p.log.topic
        assert {"partition", "offset", "row"} <= first.keys()

        # Another partition goes on, and a worker that begins again lets no more through.
        await insert(p, other, 5, "NULL")
        await p.until(lambda: counts(p, other, 5, 0), what="that the others go on")
        p.end_workers()
        p.ensure_a_worker()
        await insert(p, other, 5, "NULL")
        await p.until(lambda: counts(p, other, 10, 0), what="that the others go on")
        assert len(await listed(p, "activities")) == 2 * MOST_IN_A_ROW
        answer = await dead_letters(p, "retry", "--wait", "5", code=1)
        assert {item["outcome"] for item in answer["items"]} == {"still refused"}
        assert kind in answer["items"][0]["reason"]
        assert [await stats_of(p, mentor) for mentor in mentors] == [(10, 100)] * 4

        await change_type(p, back)
        await p.until(lambda: none_stands(p, (0, 1)), what="that the two go on")
        await p.settle()
        assert len(await listed(p, "activities")) == 1000
        assert await p.award(mentors[0], badge) is None
        answer = await dead_letters(p, "retry")
        assert {item["outcome"] for item in answer["items"]} == {"taken in"}
        assert answer["left"] == 0
        assert [await stats_of(p, mentor) for mentor in mentors] == [(260, 5100)] * 4
        for mentor in mentors:
            assert await p.events(mentor, badge) == ["granted"]
        assert await listed(p, "activities") == []
        assert not await alert(p, "dead_letters", "activities")

    working.run(test)


def test_what_is_refused_is_tried_again_while_its_partition_stands(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        badge = await p.badge(organization, count_of(2))
        mentor, other = [await newcomer_in(p, organization, 0) for _ in range(2)]
        await p.settle()
        change, back = CHANGES["numeric"]
        async with refusing(p, badge):
            await insert(p, mentor, 2, "10")
            await p.until(lambda: waiting(p, mentor), what="that the award waits")
            await change_type(p, change)
            await insert(p, other, 2 * MOST_IN_A_ROW, "20")
            await p.until(lambda: stand(p, (0,)), what="that the partition stands")
            assert await waiting(p, mentor)
        await p.until(lambda: p.award(mentor, badge), what="the award")
        assert await waiting(p, mentor) == []
        await all_closed(p, "write_refused")
        assert await stand(p, (0,))
        await change_type(p, back)
        await p.until(lambda: none_stands(p, (0,)), what="that the partition goes on")
        answer = await dead_letters(p, "retry")
        assert answer["left"] == 0
        await p.until(lambda: p.award(other, badge), what="the other's award")
        assert await p.events(mentor, badge) == ["granted"]
        await p.retire_everything()

    working.run(test)


def test_a_row_dated_for_ever_is_gone_until_it_has_a_date(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2), revocable=True)
        row, _ = [await p.activity(mentor, f"2026-01-0{day}") for day in (1, 2)]
        await p.until(lambda: p.award(mentor, badge))
        await p.pool.execute("UPDATE activities SET activity_date = 'infinity' WHERE id = $1", row)
        await p.settle()
        assert await p.events(mentor, badge) == ["granted", "revoked"]
        assert await stats_of(p, mentor) == (1, 30)
        detail = await told(p, "dead_letters", "activities")
        assert detail["row"] == str(row)
        (letter,) = await listed(p, "activities")
        assert (letter["table"], letter["row_id"]) == ("activities", str(row))
        assert letter["partition"] == partition_of(mentor, p.log.partitions)

        answer = await dead_letters(p, "retry", letter["key"], code=1)
        (item,) = answer["items"]
        assert (item["key"], item["outcome"]) == (letter["key"], "still refused")
        assert "activity_date" in item["reason"]
        assert await listed(p, "activities") == [letter]

        await p.pool.execute(
            "UPDATE activities SET activity_date = '2026-01-01' WHERE id = $1", row
        )
        await p.settle()
        assert await p.events(mentor, badge) == ["granted", "revoked", "restored"]
        answer = await dead_letters(p, "retry")
        assert answer["items"] == [{"key": letter["key"], "outcome": "taken in", "reason": None}]
        assert not await alert(p, "dead_letters", "activities")

    working.run(test)


def test_many_rows_dated_for_ever_let_a_partition_go_on(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1))
        await p.pool.execute(
            "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
            "SELECT gen_random_uuid(), $1, 'visit', 'infinity' FROM generate_series(1, $2::int)",
            mentor,
            3 * MOST_IN_A_ROW,
        )
        await p.activity(mentor, "2026-01-01")
        await p.until(lambda: p.award(mentor, badge))
        assert len(await listed(p, "activities")) == 3 * MOST_IN_A_ROW
        assert not await alert(
            p, "dead_letters", f"partition {partition_of(mentor, p.log.partitions)}"
        )
        await p.pool.execute("DELETE FROM activities WHERE activity_date = 'infinity'")
        answer = await dead_letters(p, "retry", "--table", "activities")
        assert {item["outcome"] for item in answer["items"]} == {"gone"}
        assert await listed(p, "activities") == []

    working.run(test)


def test_completions_pauses_and_minutes_below_nothing_count_as_gone(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        trained = await p.badge(
            organization, {"type": "training", "courses": ["basic"]}, revocable=True
        )
        hours = {"type": "threshold", "metric": "minutes", "at_least": 60}
        minutes = await p.badge(organization, hours, revocable=True)
        course, row = uuid4(), await p.activity(mentor, "2026-01-01", minutes=90)
        await p.pool.execute(
            "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
            "VALUES ($1, $2, 'basic', '2026-01-01')",
            course,
            mentor,
        )
        await p.until(lambda: p.award(mentor, trained))
        await p.until(lambda: p.award(mentor, minutes))
        await p.pool.execute(
            "ALTER TABLE activities DROP CONSTRAINT activities_duration_minutes_check"
        )
        await p.pool.execute("UPDATE activities SET duration_minutes = -5 WHERE id = $1", row)
        await p.pool.execute(
            "UPDATE training_completions SET completed_on = '-infinity' WHERE id = $1", course
        )
        await p.settle()
        assert await p.events(mentor, trained) == ["granted", "revoked"]
        assert await p.events(mentor, minutes) == ["granted", "revoked"]
        await told(p, "dead_letters", "training_completions")

        await p.pool.execute("UPDATE activities SET duration_minutes = 60 WHERE id = $1", row)
        await p.pool.execute(
            "ALTER TABLE activities ADD CONSTRAINT activities_duration_minutes_check "
            "CHECK (duration_minutes >= 0)"
        )
        await p.pool.execute(
            "UPDATE training_completions SET completed_on = '2026-01-03' WHERE id = $1", course
        )
        answer = await dead_letters(p, "retry")
        assert {item["outcome"] for item in answer["items"]} == {"taken in"}
        assert await p.events(mentor, trained) == ["granted", "revoked", "restored"]
        assert await p.events(mentor, minutes) == ["granted", "revoked", "restored"]
        assert not await alert(p, "dead_letters", "training_completions")

    working.run(test)


def test_a_text_that_is_not_sent_again_is_known_when_its_row_has_a_date_again(
    working: Rig,
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        course, row = "c" * 200, uuid4()
        badge = await p.badge(
            organization, {"type": "training", "courses": [course]}, revocable=True
        )
        # A row too long for its page: the course is stored apart from it.
        await p.pool.execute(
            "ALTER TABLE training_completions ADD COLUMN notes text STORAGE PLAIN, "
            "ALTER COLUMN course_code SET STORAGE EXTERNAL"
        )
        await p.pool.execute(
            "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on, "
            "notes) VALUES ($1, $2, $3, '2026-01-01', repeat('n', 1950))",
            row,
            mentor,
            course,
        )
        assert await p.pool.fetchval(
            "SELECT pg_column_toast_chunk_id(course_code) IS NOT NULL "
            "FROM training_completions WHERE id = $1",
            row,
        )
        for on in ("infinity", "-infinity", "2026-01-01"):
            await p.pool.execute(
                f"UPDATE training_completions SET completed_on = '{on}' WHERE id = '{row}'"
            )
        await p.settle()
        assert await p.events(mentor, badge) == ["granted", "revoked", "restored"]
        answer = await dead_letters(p, "retry")
        assert [item["outcome"] for item in answer["items"]] == ["taken in"] * 2
        assert await p.events(mentor, badge) == ["granted", "revoked", "restored"]

    working.run(test)


def test_what_an_application_does_to_updates_is_told_and_loses_no_letter(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        row = await p.activity(mentor, "2026-01-01")
        await p.pool.execute("UPDATE activities SET activity_date = 'infinity' WHERE id = $1", row)
        await p.settle()
        await p.pool.execute(
            "UPDATE activities SET activity_date = '2026-01-02' WHERE id = $1", row
        )
        (letter,) = await listed(p, "activities")
        for body, reason in (
            ("RAISE EXCEPTION 'not today'", "not today"),
            ("RETURN NULL", "a trigger of the application"),
        ):
            await p.pool.execute(
                "CREATE OR REPLACE FUNCTION of_the_application() RETURNS trigger "
                f"LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"
            )
            await p.pool.execute(
                "CREATE OR REPLACE TRIGGER of_the_application BEFORE UPDATE ON activities "
                "FOR EACH ROW EXECUTE FUNCTION of_the_application()"
            )
            (item,) = (await dead_letters(p, "retry", code=1))["items"]
            assert item["outcome"] == "still refused"
            assert reason in item["reason"]
            assert await listed(p, "activities") == [letter]
        await p.pool.execute("DROP FUNCTION of_the_application CASCADE")
        await p.pool.execute("ALTER TABLE activities ENABLE ROW LEVEL SECURITY")
        answer = await dead_letters(
            p, "retry", code=2, BADGES_DATABASE_URL=p.role_url("badges_api")
        )
        assert "Postgres refuses" in answer["error"]
        await p.pool.execute("ALTER TABLE activities DISABLE ROW LEVEL SECURITY")
        assert await listed(p, "activities") == [letter]
        assert (await dead_letters(p, "retry"))["left"] == 0

    working.run(test)


def test_a_letter_waits_while_nobody_decides(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        row = await p.activity(mentor, "2026-01-01")
        await p.pool.execute("UPDATE activities SET activity_date = 'infinity' WHERE id = $1", row)
        p.worker().start()
        await p.settle()
        p.end_workers()
        await p.pool.execute(
            "UPDATE activities SET activity_date = '2026-01-02' WHERE id = $1", row
        )
        (item,) = (await dead_letters(p, "retry", "--wait", "3", code=1))["items"]
        assert item["outcome"] == "not decided"
        assert len(await listed(p, "activities")) == 1
        p.worker().start()
        assert (await dead_letters(p, "retry"))["left"] == 0

    unmanned.run(test)


def test_what_names_no_row_can_only_be_dropped(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        async with AIOKafkaProducer(**p.site.access.client_options()) as producer:
            for number in range(3):
                await producer.send_and_wait(p.log.topic, b"{", b"nobody", partition=number)
        await p.settle()
        letters = await listed(p, "unreadable")
        assert len(letters) == 3
        await told(p, "dead_letters", "unreadable")
        answer = await dead_letters(p, "retry", "--table", "unreadable", code=1)
        assert [item["outcome"] for item in answer["items"]] == ["no row"] * 3
        assert "can only be dropped" in answer["items"][0]["reason"]

        await dead_letters(p, "drop", code=2)
        await dead_letters(p, "drop", "--all", code=2)
        await dead_letters(p, "drop", "no/such/key", code=2)
        await dead_letters(p, "drop", letters[0]["key"], "--all", code=2)
        await dead_letters(p, "drop", letters[0]["key"], code=2, BADGES_KAFKA_BOOTSTRAP="[::1]:1")
        assert await listed(p, "unreadable") == letters

        answer = await dead_letters(p, "drop", letters[0]["key"])
        assert answer["dropped"] == [letters[0]["key"]]
        assert await listed(p, "unreadable") == letters[1:]
        await told(p, "dead_letters", "unreadable")
        await dead_letters(p, "drop", "--table", "unreadable", "--yes")
        assert not await alert(p, "dead_letters", "unreadable")
        assert (await dead_letters(p, "drop", "--all", "--yes"))["dropped"] == []
        assert (await dead_letters(p, "list"))["items"] == []

    working.run(test)


async def earned(p: Pipeline) -> tuple[UUID, UUID, asyncpg.Record]:
    """A mentor, a badge, and the award of it that the rule has given."""
    organization, mentor = await p.newcomer()
    badge = await p.badge(organization, count_of(1))
    await p.activity(mentor, "2026-01-01")
    await p.until(lambda: p.award(mentor, badge), what="the award")
    award = await p.award(mentor, badge)
    assert award is not None
    return mentor, badge, award


def test_an_award_far_away_ends_no_worker_and_is_taken_in_when_it_is_mended(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        mentor, badge, award = await earned(p)
        await p.pool.execute(
            "UPDATE badge_awards SET earned_at = '20000-01-01', earned_on = '20000-01-01' "
            "WHERE id = $1",
            award["id"],
        )
        await p.settle()
        detail = await told(p, "dead_letters", "badge_awards")
        assert detail["row"] == str(award["id"])

        # A worker that begins now compares what it holds with what is there.
        p.end_workers()
        p.ensure_a_worker()
        where = str(partition_of(mentor, p.log.partitions))
        await p.until(lambda: alert(p, "awards_differ", where), what="that the award differs")
        await p.activity(mentor, "2026-01-02")
        await p.until(lambda: counts(p, mentor, 2, 60), what="the next activity")
        assert not await p.pool.fetchval(
            "SELECT count(*) FROM badge_alerts WHERE kind = 'partition_failed' AND "
            "detail ->> 'subject' = $1",
            where,
        )

        (letter,) = await listed(p, "badge_awards")
        assert letter["row_id"] == str(award["id"])
        (item,) = (await dead_letters(p, "retry", letter["key"], code=1))["items"]
        assert item["outcome"] == "still refused"
        assert await listed(p, "badge_awards") == [letter]

        await p.pool.execute(
            "UPDATE badge_awards SET earned_at = $2, earned_on = $3 WHERE id = $1",
            award["id"],
            award["earned_at"],
            award["earned_on"],
        )
        (item,) = (await dead_letters(p, "retry", letter["key"]))["items"]
        assert item["outcome"] == "taken in"
        assert await listed(p, "badge_awards") == []
        assert not await alert(p, "dead_letters", "badge_awards")
        now = await p.award(mentor, badge)
        assert now is not None
        assert (now["id"], now["earned_at"]) == (award["id"], award["earned_at"])

    working.run(test)


def test_an_award_that_the_rule_wrote_last_is_no_letter_s_to_take_in(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        mentor, _, award = await earned(p)
        value = {"__table": "badge_awards", "id": str(award["id"]), "peer_mentor_id": str(mentor)}
        async with AIOKafkaProducer(**p.site.access.client_options()) as producer:
            await producer.send_and_wait(
                p.log.topic,
                json.dumps(value).encode(),
                str(mentor).encode(),
                partition=partition_of(mentor, p.log.partitions),
            )
        await p.settle()
        (letter,) = await listed(p, "badge_awards")
        (item,) = (await dead_letters(p, "retry", letter["key"], code=1))["items"]
        assert item["outcome"] == "still refused"
        assert "only a person's change" in item["reason"]
        await dead_letters(p, "drop", letter["key"])
        assert not await alert(p, "dead_letters", "badge_awards")

    working.run(test)


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)
