"""`badges prune`: what nothing reads any more goes, beside workers that go on."""

from typing import Any
from uuid import UUID

from streams.filling.provisioning import resnapshot
from streams.log.generations import Generation
from tests.integration.commands import answer
from tests.integration.pipeline import Pipeline, Rig, count_of

CLEAN = {
    "positions": 0,
    "rule_positions": 0,
    "found_awards": 0,
    "alerts": 0,
    "idempotency_keys": 0,
    "dead_letters": 0,
}
"""How many of each kind may go where nothing may."""


def counts(told: Any) -> dict[str, int]:
    """How many rows of each kind an answer names, audits aside, which may not be there."""
    found = {each["kind"]: each["count"] for each in told["items"]}
    found.pop("audits", None)
    return found


async def unusable(p: Pipeline, mentor: UUID) -> UUID:
    """An activity on a day that nobody can use."""
    row: UUID = await p.pool.fetchval(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "VALUES (gen_random_uuid(), $1, 'visit', 'infinity') RETURNING id",
        mentor,
    )
    return row


async def letters(p: Pipeline) -> dict[str, str]:
    """The log of each dead letter, by the row that it names."""
    items = (await answer(p, "dead-letters", "list"))["items"]
    return {each["row_id"]: each["log_id"] for each in items}


async def alert(p: Pipeline, name: str, at: str, resolved: str | None) -> None:
    """An alert that was raised and resolved so long ago."""
    await p.pool.execute(
        "INSERT INTO badge_alerts (kind, detail, at, resolved_at) VALUES ('time_zone', "
        "jsonb_build_object('subject', $1::text), now() - $2::text::interval, "
        "now() - $3::text::interval)",
        name,
        at,
        resolved,
    )


async def key(p: Pipeline, name: str, age: str) -> None:
    """The key of a request to the API of so long ago."""
    await p.pool.execute(
        "INSERT INTO badges_private.idempotency_keys (id, request, badge_definition_id, at) "
        "VALUES ($1, '', gen_random_uuid(), now() - $2::text::interval)",
        name.encode(),
        age,
    )


async def rule_positions(p: Pipeline, log: Generation) -> int:
    """How many rule positions there are of a log."""
    return int(
        await p.pool.fetchval(
            "SELECT count(*) FROM badge_rule_positions WHERE log_id = $1", log.log_id
        )
    )


async def names(p: Pipeline, table: str, column: str) -> list[Any]:
    """What a column of a table says, in order."""
    rows = await p.pool.fetch(f"SELECT {column} AS name FROM {table} ORDER BY 1")
    return [row["name"] for row in rows]


async def over(p: Pipeline, mentor: UUID) -> tuple[Generation, dict[str, str]]:
    """Let another generation take over; the one before, and the dead letters there are then.

    Before and after there are rows that nobody can use, of which one is there in the end.
    """
    stays, goes = await unusable(p, mentor), await unusable(p, mentor)
    await p.settle()
    await p.pool.execute("DELETE FROM activities WHERE id = $1", goes)
    old = p.log
    await p.pool.execute("UPDATE badge_logs SET found = '[]' WHERE log_id = $1", old.log_id)
    p.log = await resnapshot(p.site)
    last = await unusable(p, mentor)
    await p.settle()
    await p.pool.execute("DELETE FROM activities WHERE id = $1", last)
    new = p.log.log_id
    items = (await answer(p, "dead-letters", "list"))["items"]
    found = [(each["row_id"], each["log_id"]) for each in items]
    assert sorted(found) == sorted(
        [(str(stays), old.log_id), (str(goes), old.log_id), (str(stays), new), (str(last), new)]
    )
    return old, {str(stays): new}


def test_what_may_go_goes_and_all_else_stays(own: Rig) -> None:
    async def test(p: Pipeline) -> None:
        assert counts(await answer(p, "prune")) == CLEAN
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, count_of(2), revocable=True)
        await p.at_work(p.worker())
        for day in ("2026-01-10", "2026-01-11"):
            await p.activity(mentor, day)
        old, letters_left = await over(p, mentor)
        await alert(p, "old", "200 days", "91 days")
        await alert(p, "new", "200 days", "89 days")
        await alert(p, "open", "200 days", None)
        await key(p, "old", "25 hours")
        await key(p, "new", "23 hours")

        live = await rule_positions(p, p.log)
        expected = {
            **CLEAN,
            "rule_positions": await rule_positions(p, old),
            "found_awards": 1,
            "alerts": 1,
            "idempotency_keys": 1,
            "dead_letters": 3,
        }
        told = await answer(p, "prune")
        assert counts(told) == expected
        assert not told["applied"]
        assert told["left_over"] == []
        for each in told["items"]:
            assert (each["bytes"] > 0) == (each["count"] > 0)
            assert (each["since"] is None) == (each["count"] == 0)
        assert counts(await answer(p, "prune", "--older-than", "88")) == {**expected, "alerts": 2}

        before = await p.award(mentor, badge)
        assert counts(await answer(p, "prune", "--apply")) == expected
        assert counts(await answer(p, "prune", "--apply")) == CLEAN
        assert await rule_positions(p, old) == 0
        assert await rule_positions(p, p.log) == live
        alerts = await names(p, "badge_alerts", "detail ->> 'subject'")
        assert "old" not in alerts
        assert {"new", "open"} <= set(alerts)
        assert await names(p, "badges_private.idempotency_keys", "id") == [b"new"]
        assert await letters(p) == letters_left
        assert await names(p, "badge_logs", "state") == ["closed", "live"]

        # A worker that begins again reads what is there still, and everything goes on.
        p.end_workers()
        p.ensure_a_worker()
        await p.activity(mentor, "2026-01-12")
        await p.settle()
        assert await p.award(mentor, badge) == before
        await p.verify()

    own.run(test)
