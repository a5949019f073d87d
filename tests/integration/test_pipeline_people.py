"""What people do with mentors and awards, while the rule goes on."""

from datetime import UTC, datetime
from uuid import UUID

from aiokafka import AIOKafkaProducer

from sinks.base import DeadLetter
from sinks.dead_letters import decode
from streams.log.reader import KafkaLog
from tests.integration.pipeline import Pipeline, Rig, count_of, oslo, partition_of


async def award_by_hand(p: Pipeline, mentor: UUID, badge: UUID, by: str = "Anna") -> None:
    await p.pool.execute("SELECT award_badge($1, $2, NULL, '{}', $3)", mentor, badge, by)


async def visits(p: Pipeline, mentor: UUID, number: int) -> list[UUID]:
    """So many visits, on the first days of 2026."""
    return [await p.activity(mentor, f"2026-01-{day:02}") for day in range(1, number + 1)]


def test_an_award_by_hand_is_never_revoked_by_a_rule(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2), revocable=True)
        await award_by_hand(p, mentor, badge)
        rows = await visits(p, mentor, 2)
        await p.pool.execute("DELETE FROM activities WHERE id = $1", rows[0])
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert (award["awarded_by"], award["revoked_by"]) == ("Anna", None)
        assert award["changed_by"] != "rule"
        assert await p.events(mentor, badge) == ["granted"]

    working.run(test)


def test_an_award_by_hand_may_be_promoted_by_the_rule(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        tiers = [{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 2}]
        badge = await p.badge(organization, {"type": "tier", "metric": "count", "tiers": tiers})
        await award_by_hand(p, mentor, badge)
        await visits(p, mentor, 2)
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert (award["awarded_by"], award["tier"]) == ("Anna", "silver")
        assert award["tier_earned_at"] == oslo(2026, 1, 2)
        assert set(await p.events(mentor, badge)) == {"granted", "promoted"}

    working.run(test)


def test_what_a_person_revoked_no_rule_gives_back_but_a_person_may(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        rows = await visits(p, mentor, 2)
        await p.until(lambda: p.award(mentor, badge))
        await p.pool.execute(
            "UPDATE badge_awards SET revoked_by = 'Bo' WHERE peer_mentor_id = $1", mentor
        )
        await p.pool.execute("DELETE FROM activities WHERE id = $1", rows[0])
        await visits(p, mentor, 3)
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert award["revoked_by"] == "Bo"
        assert award["revoked_at"] is not None

        await award_by_hand(p, mentor, badge)
        await p.settle()
        award = await p.award(mentor, badge)
        assert award is not None
        assert (award["awarded_by"], award["revoked_by"]) == ("Anna", None)
        assert award["earned_at"] == oslo(2026, 1, 2)
        assert await p.events(mentor, badge) == ["granted", "revoked", "restored"]

    working.run(test)


def test_an_award_row_that_somebody_deletes_comes_back_while_the_rule_holds(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        by_hand = await p.badge(organization, count_of(9))
        await visits(p, mentor, 2)
        await p.until(lambda: p.award(mentor, badge))
        await award_by_hand(p, mentor, by_hand)
        before = await p.award(mentor, badge)
        await p.pool.execute("DELETE FROM badge_awards WHERE peer_mentor_id = $1", mentor)
        await p.settle()

        after = await p.award(mentor, badge)
        assert before is not None
        assert after is not None
        assert after["id"] != before["id"]
        assert after["earned_at"] == oslo(2026, 1, 2)
        assert await p.award(mentor, by_hand) is None
        assert await p.events(mentor, badge) == ["granted", "granted"]

    working.run(test)


def test_an_award_given_by_hand_counts_as_a_prerequisite_until_it_is_revoked(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        base = await p.badge(organization, count_of(9), key="base")
        needs = {"type": "badges", "badges": ["base"]}
        follows = await p.badge(organization, needs, revocable=True)
        await p.pool.execute(
            "SELECT award_badge($1, $2, '2026-01-05 12:00+00', '{}', 'Anna')", mentor, base
        )
        await p.until(lambda: p.award(mentor, follows))
        award = await p.award(mentor, follows)
        assert award is not None
        assert award["earned_at"] == oslo(2026, 1, 5)
        await p.pool.execute(
            "UPDATE badge_awards SET revoked_by = 'Bo' WHERE badge_definition_id = $1", base
        )
        await p.settle()
        assert await p.events(mentor, follows) == ["granted", "revoked"]

    working.run(test)


def test_a_deleted_mentor_takes_everything_along_and_starts_from_nothing(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        await visits(p, mentor, 2)
        await p.until(lambda: p.award(mentor, badge))
        await p.pool.execute("DELETE FROM peer_mentors WHERE id = $1", mentor)
        await p.settle()
        assert await p.award(mentor, badge) is None
        assert await p.stats(mentor) is None
        assert await p.events(mentor, badge) == []

        await p.pool.execute(
            "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Back')",
            mentor,
            organization,
        )
        await p.activity(mentor, "2026-03-01")
        await p.settle()
        assert await p.award(mentor, badge) is None
        stats = await p.stats(mentor)
        assert stats is not None
        assert stats["activity_count"] == 1

    working.run(test)


def test_an_inactive_mentor_is_frozen_and_decided_again_afterwards(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization()
        mentor = await p.mentor(organization, active=False)
        badge = await p.badge(organization, count_of(2))
        lost = await p.badge(organization, count_of(2), revocable=True)
        rows = await visits(p, mentor, 3)
        await p.settle()
        assert await p.award(mentor, badge) is None
        stats = await p.stats(mentor)
        assert stats is not None
        assert stats["activity_count"] == 3

        await p.pool.execute("UPDATE peer_mentors SET active = true WHERE id = $1", mentor)
        await p.until(lambda: p.award(mentor, badge))
        await p.until(lambda: p.award(mentor, lost))
        await p.pool.execute("UPDATE peer_mentors SET active = false WHERE id = $1", mentor)
        await p.pool.execute("DELETE FROM activities WHERE id = ANY ($1)", rows[1:])
        await p.settle()
        assert await p.events(mentor, lost) == ["granted"]
        await p.pool.execute("UPDATE peer_mentors SET active = true WHERE id = $1", mentor)
        await p.settle()
        assert await p.events(mentor, lost) == ["granted", "revoked"]

    working.run(test)


def test_a_mentor_who_changes_organization_keeps_what_is_frozen_there(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        home, mentor = await p.newcomer()
        away = await p.organization("Asia/Kolkata")
        here = await p.badge(home, count_of(2), revocable=True)
        there = await p.badge(away, count_of(2))
        rows = await visits(p, mentor, 2)
        await p.until(lambda: p.award(mentor, here))
        await p.pool.execute(
            "UPDATE peer_mentors SET organization_id = $2 WHERE id = $1", mentor, away
        )
        await p.until(lambda: p.award(mentor, there))
        await p.pool.execute("DELETE FROM activities WHERE id = $1", rows[0])
        await p.settle()

        assert await p.events(mentor, here) == ["granted"]
        award = await p.award(mentor, there)
        assert award is not None
        assert award["earned_at"] == datetime(2026, 1, 1, 18, 30, tzinfo=UTC)
        await p.pool.execute(
            "UPDATE peer_mentors SET organization_id = $2 WHERE id = $1", mentor, home
        )
        await p.settle()
        assert await p.events(mentor, here) == ["granted", "revoked"]

    working.run(test)


def test_poison_in_the_topic_goes_to_the_dead_letters_and_stops_nothing(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        partition = partition_of(mentor, p.log.partitions)
        await visits(p, mentor, 1)
        poisons = [b"", b"{", b'{"__table":"activities","__op":"c","id":1}', b'{"__table":"who"}']
        async with AIOKafkaProducer(**p.site.access.client_options()) as producer:
            sent = [
                await producer.send_and_wait(p.log.topic, poison, b"nobody", partition=partition)
                for poison in poisons
            ]
        await p.activity(mentor, "2026-01-20")
        await p.until(lambda: p.award(mentor, badge))

        letters = await dead_letters(p)
        for record, poison in zip(sent, poisons, strict=True):
            letter = letters[partition, record.offset]
            assert (letter.log_id, letter.key, letter.value) == (p.log.log_id, b"nobody", poison)
            assert letter.reason

    working.run(test)


def test_a_mentor_id_that_is_none_ends_no_worker_that_starts_later(unmanned: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2))
        partition = partition_of(mentor, p.log.partitions)
        await visits(p, mentor, 1)
        row = (
            b'{"__table":"activities","__op":"c","id":"a","peer_mentor_id":"nobody",'
            b'"activity_type":"visit","activity_date":1}'
        )
        async with AIOKafkaProducer(**p.site.access.client_options()) as producer:
            await producer.send_and_wait(p.log.topic, row, b"nobody", partition=partition)
        alert = await p.pool.fetchval(
            "INSERT INTO badge_alerts (kind, detail) "
            "VALUES ('partition_failed', jsonb_build_object('subject', $1::text)) RETURNING id",
            str(partition),
        )
        p.worker().start()
        await p.activity(mentor, "2026-01-20")
        await p.until(lambda: p.award(mentor, badge))
        # It is closed once the partition is idle, and what is believed compared with what is there.
        await p.until(
            lambda: p.pool.fetchval("SELECT resolved_at FROM badge_alerts WHERE id = $1", alert)
        )

    unmanned.run(test)


async def dead_letters(p: Pipeline) -> dict[tuple[int, int], DeadLetter]:
    """Every dead letter by the partition and offset of what it was."""
    topic = f"{p.site.prefix}.dead-letters"
    (found,) = (await p.site.cluster.topics([topic])).values()
    letters = [
        decode(record.value or b"")
        for partition, end in enumerate(await p.site.cluster.ends(found))
        async for chunk in KafkaLog(p.site.access, topic).read(partition, 0, end)
        for record in chunk
    ]
    return {(letter.partition, letter.offset): letter for letter in letters}


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)
