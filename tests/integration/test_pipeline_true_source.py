"""An application's own tables are read whole, and what goes wrong around the log is told."""

import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest

from schema import apply
from schema.check import check
from tests.integration.alerts import alert, all_closed, told
from tests.integration.conftest import Rigs
from tests.integration.connections import triggers_off
from tests.integration.pipeline import Pipeline, Rig, count_of, criteria_text, oslo
from tests.integration.schema import application
from tests.integration.schema.sessions import long_text
from tests.log_site import records
from tests.stack import LIMIT_S, Stack

TABLES = application.TABLES.replace("varchar(40)", "text").replace(
    "ON DELETE CASCADE", "ON DELETE CASCADE ON UPDATE CASCADE"
)
"""An application's tables, which bound no text and let ids change."""


EARLIER, LATER = long_text(3_000, 1), long_text(3_000, 2)
FOUND = UUID("00000000-0000-0000-0000-000000000011")
"""A mentor with an activity of a long type before anything of ours is there."""

BEFORE = f"""
{TABLES}
{application.ROWS}
UPDATE activities SET activity_type = '{EARLIER}';
DELETE FROM badge_definitions;
"""


@pytest.fixture(scope="module")
def rigs(stack: Stack) -> Iterator[Rigs]:
    """Pipelines over tables that an application has made."""
    made = Rigs(stack, tables=BEFORE)
    yield made
    made.discard()


async def migrate(p: Pipeline) -> apply.Report:
    """Migrate as the command does."""
    connection = await p.connect()
    try:
        return await apply.migrate(connection, prefix=p.site.prefix, role_passwords={})
    finally:
        await connection.close()


def command(p: Pipeline, *words: str) -> Any:
    """What `badges` prints as JSON when it is called with these words."""
    ran = subprocess.run(
        [sys.executable, "-m", "badges.cli.main", *words, "--json"],
        env={**os.environ, "BADGES_DATABASE_URL": p.owner_url, "BADGES_PREFIX": p.site.prefix},
        capture_output=True,
        timeout=LIMIT_S,
        check=True,
    )
    return msgspec.json.decode(ran.stdout)


async def differences(p: Pipeline) -> list[str]:
    """What `badges migrate --check` lists."""
    connection = await p.connect()
    try:
        return [each.where for each in await check(connection, prefix=p.site.prefix)]
    finally:
        await connection.close()


async def types(p: Pipeline, mentor: UUID) -> dict[str, int]:
    """The mentor's counts by type; names count by their first 200 characters."""
    stats = await p.stats(mentor)
    assert stats is not None
    counts: dict[str, int] = {}
    for name, number in msgspec.json.decode(stats["counts_by_type"]).items():
        counts[name[:200]] = counts.get(name[:200], 0) + number
    return counts


COURSES = "training_completions"
DISTINCT = {"type": "threshold", "metric": "distinct_types", "at_least": 2}


def test_long_types_count_before_and_after_migrate(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.settle()
        assert await types(p, FOUND) == {EARLIER[:200]: 1}
        organization = await p.pool.fetchval("SELECT organization_id FROM peer_mentors LIMIT 1")
        badge = await p.badge(organization, DISTINCT)
        await p.activity(FOUND, "2026-01-02", LATER)
        await p.until(lambda: p.award(FOUND, badge), what="the award")
        assert await types(p, FOUND) == {EARLIER[:200]: 1, LATER[:200]: 1}
        award = await p.award(FOUND, badge)
        assert award is not None
        assert award["earned_at"] == oslo(2026, 1, 2)
        await migrate(p)
        await p.activity(FOUND, "2026-01-03", LATER)
        await p.settle()
        assert await types(p, FOUND) == {EARLIER[:200]: 1, LATER[:200]: 2}

    working.run(test)


def test_long_types_move_with_their_activities(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, giver = await p.newcomer()
        taker = await p.mentor(organization)
        badge = await p.badge(organization, DISTINCT, revocable=True)
        names = [long_text(2_300, seed) for seed in (3, 4)]
        for name in names:
            await p.activity(giver, "2026-02-01", name)
        await p.until(lambda: p.award(giver, badge), what="the award")
        await p.pool.execute(
            "UPDATE activities SET peer_mentor_id = $2 WHERE peer_mentor_id = $1", giver, taker
        )
        await p.settle()
        assert await types(p, taker) == {name[:200]: 1 for name in names}
        assert await types(p, giver) == {}
        assert await p.events(taker, badge) == ["granted"]
        assert await p.events(giver, badge) == ["granted", "revoked"]

    working.run(test)


def test_long_texts_stay_when_ids_change(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        kind, course = long_text(2_300, 5), long_text(10_000, 6)
        badge = await p.badge(organization, DISTINCT)
        activity = await p.activity(mentor, "2026-02-01", kind)
        await p.activity(mentor, "2026-02-02", "visit")
        await p.pool.execute(
            "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
            "VALUES ($1, $2, $3, $4)",
            uuid4(), mentor, course, date(2026, 2, 3),
        )  # fmt: skip
        await p.until(lambda: p.award(mentor, badge), what="the award")
        await p.pool.execute("UPDATE activities SET id = gen_random_uuid() WHERE id = $1", activity)
        await p.settle()
        assert await types(p, mentor) == {kind[:200]: 1, "visit": 1}

        moved = uuid4()
        await p.pool.execute("UPDATE peer_mentors SET id = $2 WHERE id = $1", mentor, moved)
        await p.settle()
        assert await types(p, moved) == {kind[:200]: 1, "visit": 1}
        stats = await p.stats(moved)
        assert stats is not None
        assert (stats["activity_count"], stats["training_count"]) == (2, 1)
        assert await p.stats(mentor) is None
        texts = [
            record.get("course_code")
            for key, value in await records(p.site, p.log)
            if key == str(moved) and (record := msgspec.json.decode(value))["__table"] == COURSES
        ]
        assert [text[:200] for text in texts] == [course[:200]]

    working.run(test)


def test_a_truncate_with_triggers_off_leaves_what_the_table_has(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        kept = await p.badge(organization, count_of(4))
        lost = await p.badge(organization, count_of(4), revocable=True)
        for day in range(1, 5):
            await p.activity(mentor, f"2026-03-0{day}")
        await p.until(lambda: p.award(mentor, lost), what="the award")
        async with triggers_off(p) as connection:
            await connection.execute("CREATE TEMP TABLE seed AS SELECT * FROM activities")
            await connection.execute("TRUNCATE activities")
            await connection.execute(
                "INSERT INTO activities SELECT * FROM seed WHERE peer_mentor_id <> $1 "
                "OR activity_date <= '2026-03-02'",
                mentor,
            )
        await p.settle()
        stats = await p.stats(mentor)
        assert stats is not None
        assert (stats["activity_count"], stats["last_activity_on"]) == (2, date(2026, 3, 2))
        assert await p.events(mentor, lost) == ["granted", "revoked"]
        assert await p.events(mentor, kept) == ["granted"]
        await p.activity(mentor, "2026-03-03")
        await p.settle()
        stats = await p.stats(mentor)
        assert stats is not None
        assert stats["activity_count"] == 3

    working.run(test)


def test_what_is_saved_with_triggers_off_is_told_and_applied_after_migrate(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        changed = await p.badge(organization, count_of(9))
        deleted = await p.badge(organization, count_of(1))
        await p.activity(mentor, "2026-04-01")
        await p.until(lambda: p.award(mentor, deleted), what="the award")
        unseen, unseen_badge = uuid4(), uuid4()
        async with triggers_off(p) as connection:
            await connection.execute(
                "INSERT INTO organizations (id, slug, name, timezone) "
                "VALUES ($1, $1::uuid::text, 'Unseen', 'America/New_York')",
                unseen,
            )
            await connection.execute(
                "UPDATE badge_definitions SET criteria = $2 WHERE id = $1",
                changed,
                criteria_text(count_of(1)),
            )
            await connection.execute("DELETE FROM badge_definitions WHERE id = $1", deleted)
            await connection.execute(
                "UPDATE organizations SET timezone = 'America/Sao_Paulo' WHERE id = $1",
                organization,
            )
            await connection.execute(
                "INSERT INTO badge_definitions (id, organization_id, key, criteria, status) "
                "VALUES ($1, $2, 'unseen', $3, 'active')",
                unseen_badge,
                unseen,
                criteria_text(count_of(1)),
            )
        newcomer = await p.mentor(unseen)
        await p.activity(newcomer, "2026-04-02")

        missed = {unseen, changed, deleted, organization, unseen_badge}
        for subject in missed:
            detail = await told(p, "versions_differ", str(subject))
            assert "badges migrate" in str(detail["message"])
            assert detail["id"] == str(subject)
        assert "badges migrate" in (await told(p, "rule_unknown", str(unseen)))["message"]
        assert {UUID(where.rpartition(" ")[2]) for where in await differences(p)} == missed
        assert await p.award(mentor, changed) is None

        report = await migrate(p)
        assert report.left == ()
        for subject in missed:
            await all_closed(p, "versions_differ", subject=str(subject))
        await all_closed(p, "rule_unknown", subject=str(unseen))
        await p.settle()
        award = await p.award(mentor, changed)
        assert award is not None
        assert award["definition_version"] == 2
        assert award["earned_at"].isoformat() == "2026-04-01T03:00:00+00:00"
        assert await p.award(mentor, deleted) is None
        award = await p.award(newcomer, unseen_badge)
        assert award is not None
        assert award["earned_at"].isoformat() == "2026-04-02T04:00:00+00:00"
        assert await p.events(mentor, deleted) == ["granted"]

    working.run(test)


CONSTRAINT = "badge_awards_peer_mentor_id_badge_definition_id_key"


def test_what_may_be_held_twice_and_what_cannot_be_decided_is_told(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(100))
        await p.settle()
        await p.pool.execute(f"ALTER TABLE badge_awards DROP CONSTRAINT {CONSTRAINT}")
        # In one transaction: a look between two would tell of fewer.
        await p.pool.execute(
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at, awarded_by) "
            "SELECT $1, $2, make_timestamptz(year, 5, 5, 12, 0, 0), 'Anna' "
            "FROM unnest($3::int[]) AS year",
            mentor,
            badge,
            [2023, 2022, 2024],
        )
        bad = await p.badge(organization, '{"version": 1, "type": "thresh"}', key="typo")
        first = await p.badge(organization, {"type": "badges", "badges": ["b"]}, key="a")
        cycle = await p.badge(organization, {"type": "badges", "badges": ["a"]}, key="b")
        async with triggers_off(p) as connection:
            await connection.execute(
                "UPDATE organizations SET timezone = 'No/Where' WHERE id = $1", organization
            )

        rows = await p.pool.fetch(
            "SELECT id::text FROM badge_awards WHERE badge_definition_id = $1 ORDER BY earned_at",
            badge,
        )
        kept, *twice = [row["id"] for row in rows]
        detail = await told(p, "duplicate_awards")
        assert detail["number"] == 2
        listed = detail["rows"]
        assert isinstance(listed, list)
        assert [(row["id"], row["kept_id"]) for row in listed] == [(id_, kept) for id_ in twice]
        assert "badges migrate" in (await told(p, "constraint_missing"))["message"]
        detail = await told(p, "definition_invalid", str(bad))
        assert detail["key"] == "typo"
        assert "$.type: expected one of the types" in str(detail["reason"])
        detail = await told(p, "definition_invalid", str(cycle))
        assert detail["reason"] == "closes a cycle of badges: b -> a -> b"
        assert await alert(p, "definition_invalid", str(first)) is None
        assert "tzdata package lacks" in (await told(p, "time_zone", "No/Where"))["message"]

        await p.pool.execute(
            "UPDATE organizations SET timezone = 'Europe/Oslo' WHERE id = $1", organization
        )
        deduped = command(p, "dedupe")
        assert sorted(each["id"] for each in deduped) == sorted(twice)
        await all_closed(p, "duplicate_awards")
        assert await alert(p, "constraint_missing")
        report = await migrate(p)
        assert (report.removed, report.left) == ((), ())
        await p.pool.execute(
            "UPDATE badge_definitions SET criteria = $2 WHERE id = $1",
            bad,
            criteria_text(count_of(100)),
        )
        await p.pool.execute("DELETE FROM badge_definitions WHERE id = $1", first)
        for kind, subject in (
            ("constraint_missing", None), ("time_zone", "No/Where"),
            ("definition_invalid", str(bad)), ("definition_invalid", str(cycle)),
        ):  # fmt: skip
            await all_closed(p, kind, subject=subject)
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert str(award["id"]) == kept
        removed = await p.pool.fetchval(
            "SELECT count(*) FROM badge_alerts WHERE kind = 'duplicate_awards' "
            "AND detail ->> 'message' LIKE '2 awards%removed%' AND resolved_at IS NOT NULL"
        )
        assert removed == 1

    working.run(test)


def test_what_was_removed_twice_is_held_once_by_the_fold(working: Rig) -> None:
    """The award that stays comes last, so that the workers know it and not one that went."""

    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1), status="draft")
        await p.settle()
        await p.pool.execute(f"ALTER TABLE badge_awards DROP CONSTRAINT {CONSTRAINT}")
        for year in (2022, 2024):
            await p.pool.execute(
                "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at, "
                "awarded_by) VALUES ($1, $2, make_timestamptz($3, 5, 5, 12, 0, 0), 'Anna')",
                mentor,
                badge,
                year,
            )
        await p.settle()
        await migrate(p)
        await p.pool.execute("UPDATE badge_definitions SET status = 'active' WHERE id = $1", badge)
        await p.activity(mentor, "2026-05-01")
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert (award["earned_at"].year, award["awarded_by"]) == (2022, "Anna")
        assert await p.events(mentor, badge) == ["granted", "granted"]
        await p.verify()

    working.run(test)


@pytest.mark.parametrize("revocable", [True, False])
def test_an_award_of_the_rule_outlives_a_second_one_that_somebody_inserts(
    working: Rig, revocable: bool
) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(1), revocable=revocable)
        counted = await p.activity(mentor, "2026-05-01")
        await p.settle()
        first = await p.award(mentor, badge)
        assert first is not None
        if not revocable:  # then nothing would bring it back
            await p.pool.execute("DELETE FROM activities WHERE id = $1", counted)
            await p.settle()

        await p.pool.execute(f"ALTER TABLE badge_awards DROP CONSTRAINT {CONSTRAINT}")
        await p.pool.execute(
            "INSERT INTO badge_awards (id, peer_mentor_id, badge_definition_id, earned_at, "
            "awarded_by) SELECT gen_random_uuid(), peer_mentor_id, badge_definition_id, "
            "earned_at + interval '1 day', awarded_by FROM badge_awards WHERE id = $1",
            first["id"],
        )
        await told(p, "duplicate_awards")
        report = await migrate(p)
        assert len(report.removed) == 1
        await p.settle()

        held = await p.award(mentor, badge)
        assert held is not None
        assert (held["id"], held["earned_at"]) == (first["id"], first["earned_at"])
        await p.verify()
        if revocable:
            await p.pool.execute("DELETE FROM activities WHERE id = $1", counted)
            await p.settle()
            held = await p.award(mentor, badge)
            assert held is not None
            assert (held["id"], held["revoked_by"]) == (first["id"], "rule")
        await all_closed(p, "duplicate_awards")
        await all_closed(p, "constraint_missing")
        await p.verify()

    working.run(test)


def test_several_workers_tell_one_thing_once(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        await p.at_work(p.worker())
        bad = await p.badge(None, "[]", key="bad-everywhere")
        await told(p, "definition_invalid", str(bad))
        await p.settle()
        number = await p.pool.fetchval(
            "SELECT count(*) FROM badge_alerts WHERE kind = 'definition_invalid' "
            "AND detail ->> 'subject' = $1",
            str(bad),
        )
        assert number == 1
        await p.pool.execute("UPDATE badge_definitions SET status = 'retired' WHERE id = $1", bad)
        await all_closed(p, "definition_invalid", subject=str(bad))

    working.run(test)


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)
