"""The dates of awards on the whole path: through the log, other time zones, and an upgrade."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from schema import apply, migrations
from sinks.pool import Executor, Pool
from streams.filling import provisioning
from tests.integration.alerts import OF_WAITING
from tests.integration.pipeline import Pipeline, Rig, count_of, criteria_text, oslo, pipeline
from tests.log_site import records
from tests.own_site import OwnSite
from tests.stack import Stack

BROUGHT_BY = ("20261128090000", "20261129090100", "20261201090100", "20261201090200")
"""The dates, what is published beside them since, and what builds on that."""
TENTH = date(2026, 2, 10)
IN_NEW_YORK = datetime(2026, 2, 10, 5, tzinfo=UTC)
SEVEN = {"type": "streak", "period": "day", "length": 7}


async def a_week(p: Pipeline, mentor: UUID) -> None:
    """A visit on each of the seven days to 2026-02-10."""
    for back in range(7):
        await p.activity(mentor, str(TENTH - timedelta(days=back)))


@pytest.mark.parametrize("moves", [False, True], ids=["the zone changes", "the mentor moves"])
def test_a_badge_on_one_from_another_zone_is_dated_by_its_date(working: Rig, moves: bool) -> None:
    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        key = f"seven-{mentor}"
        seven = await p.badge(None if moves else organization, SEVEN, key=key)
        await a_week(p, mentor)
        await p.until(lambda: p.award(mentor, seven))
        if moves:
            away = await p.organization("America/New_York")
            await p.pool.execute(
                "UPDATE peer_mentors SET organization_id = $2 WHERE id = $1", mentor, away
            )
        else:
            await p.pool.execute(
                "UPDATE organizations SET timezone = 'America/New_York' WHERE id = $1",
                organization,
            )
        await p.settle()
        on_it = await p.badge(None, {"type": "badges", "badges": [key]})
        await p.until(lambda: p.award(mentor, on_it))

        first, second = await p.award(mentor, seven), await p.award(mentor, on_it)
        assert first is not None
        assert second is not None
        assert (first["earned_on"], first["earned_at"]) == (TENTH, oslo(2026, 2, 10))
        assert (second["earned_on"], second["earned_at"]) == (TENTH, IN_NEW_YORK)

    working.run(test)


def test_what_a_person_inserts_is_dated_where_the_mentor_is(working: Rig) -> None:
    async def test(p: Pipeline) -> None:
        organization = await p.organization("America/New_York")
        mentor = await p.mentor(organization)
        key = f"given-{mentor}"
        given = await p.badge(organization, count_of(1000), key=key)
        on_it = await p.badge(organization, {"type": "badges", "badges": [key]})
        # 23:30 on the 10th there, the 11th in Oslo and in UTC.
        await p.pool.execute(
            "INSERT INTO badge_awards (peer_mentor_id, badge_definition_id, earned_at) "
            "VALUES ($1, $2, '2026-02-11 04:30+00')",
            mentor,
            given,
        )
        await p.until(lambda: p.award(mentor, on_it))
        awards = [await p.award(mentor, each) for each in (given, on_it)]
        assert [award and award["earned_on"] for award in awards] == [TENTH, TENTH]
        assert awards[1] is not None
        assert awards[1]["earned_at"] == IN_NEW_YORK

    working.run(test)


def test_tiers_named_anew_are_climbed_and_dated(working: Rig) -> None:
    def tiers(lowest: str) -> dict[str, Any]:
        steps = [{"name": lowest, "at_least": 1}, {"name": "silver", "at_least": 3}]
        return {"type": "tier", "metric": "count", "tiers": steps}

    async def test(p: Pipeline) -> None:
        organization, mentor = await p.newcomer()
        badge = await p.badge(organization, tiers("bronse"))
        await p.activity(mentor, "2026-02-01")
        await p.until(lambda: p.award(mentor, badge))
        await p.pool.execute(
            "UPDATE badge_definitions SET criteria = $2 WHERE id = $1",
            badge,
            criteria_text(tiers("bronze")),
        )
        await p.settle()
        held = await p.award(mentor, badge)
        assert held is not None
        assert (held["tier"], held["tier_earned_on"]) == ("bronse", date(2026, 2, 1))
        for day in ("2026-02-03", "2026-02-05"):
            await p.activity(mentor, day)
        await p.settle()
        held = await p.award(mentor, badge)
        assert held is not None
        assert (held["tier"], held["tier_earned_on"]) == ("silver", date(2026, 2, 5))
        assert (held["earned_on"], held["definition_version"]) == (date(2026, 2, 1), 1)
        assert await p.events(mentor, badge) == ["granted", "promoted"]

    working.run(test)


def test_everything_of_this_file_agrees_with_the_reference(working: Rig) -> None:
    working.run(Pipeline.verify)


class Before:
    """A database from before awards had dates, with awards in it, whose log is filled as then."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mentor = self.by_rule = self.by_hand = self.organization = UUID(int=0)
        self._patches = monkeypatch.context()
        older = tuple(each for each in migrations.load() if each.version not in BROUGHT_BY)
        now = OwnSite.configuration

        def configuration(site: OwnSite, number: int, /, *stand_in: str) -> dict[str, str]:
            today = now(site, number, *stand_in)
            columns = today["column.include.list"]
            for since in ("|tier_earned_on", "|tier_version", "|earned_on"):
                columns = columns.replace(since, "")
            return {**today, "column.include.list": columns}

        self._older, self._configuration = older, configuration

    def __enter__(self) -> "Before":
        patched = self._patches.__enter__()
        patched.setattr(migrations, "load", lambda: self._older)
        patched.setattr(OwnSite, "configuration", self._configuration)
        return self

    def __exit__(self, *_: object) -> None:
        self._patches.__exit__(None, None, None)

    async def insert(self, pool: Pool) -> None:
        """Two badges that a mentor holds since Oslo: one by the rule, one by hand."""
        self.organization = await pool.fetchval(
            "INSERT INTO organizations (slug, name) VALUES ('home', 'Home') RETURNING id"
        )
        self.mentor = await pool.fetchval(
            "INSERT INTO peer_mentors (organization_id, display_name) VALUES ($1, 'Nobody') "
            "RETURNING id",
            self.organization,
        )
        self.by_rule, self.by_hand = [
            await pool.fetchval(
                "INSERT INTO badge_definitions (organization_id, key, name, criteria, status) "
                "VALUES ($1, $2, $2, $3, 'active') RETURNING id",
                self.organization,
                key,
                '{"version": 1, "type": "tier", "metric": "count", "tiers": '
                '[{"name": "bronze", "at_least": 1}, {"name": "silver", "at_least": 3}]}',
            )
            for key in ("by-rule", "by-hand")
        ]
        async with pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL ROLE badges_worker")
            await self._award(connection, self.by_rule)
            await connection.execute(
                "INSERT INTO badge_award_events (badge_award_id, peer_mentor_id, "
                "badge_definition_id, kind, tier, definition_version, source) "
                "SELECT id, peer_mentor_id, badge_definition_id, 'granted', tier, 1, 'stream' "
                "FROM badge_awards"
            )
        await self._award(pool, self.by_hand)

    async def _award(self, connection: Executor, badge: UUID) -> None:
        await connection.execute(
            "SELECT badges_private.grant_awards(ARRAY[gen_random_uuid()], ARRAY[$1::uuid], "
            "ARRAY[$2::uuid], ARRAY[$3::timestamptz], ARRAY[1], ARRAY['bronze'], "
            "ARRAY[$3::timestamptz], ARRAY['{}']::jsonb[], 'rule')",
            self.mentor,
            badge,
            oslo(2026, 2, 10),
        )


@pytest.fixture
def before(monkeypatch: pytest.MonkeyPatch) -> Before:
    return Before(monkeypatch)


@pytest.fixture
def older(stack: Stack, before: Before) -> Iterator[Rig]:
    """A pipeline of the test's own, as it was before; the database has been migrated since."""
    with before:
        context = pipeline(stack, before.insert)
        rig = context.__enter__()
    yield rig
    context.__exit__(None, None, None)


def test_a_log_from_before_goes_on_through_an_upgrade(older: Rig, before: Before) -> None:
    async def test(p: Pipeline) -> None:
        mentor = before.mentor
        # In the log as it was: a person takes the badge and gives it back.
        for to in ("now()", "NULL"):
            await p.pool.execute(f"UPDATE badge_awards SET revoked_at = {to}")
        await apply.migrate(p.site.connection, prefix=p.site.prefix, role_passwords={})
        awards = [await p.award(mentor, badge) for badge in (before.by_rule, before.by_hand)]
        assert [award and award["earned_on"] for award in awards] == [TENTH, TENTH]

        # The workers go first, the connector later; whichever it is, nothing is amiss.
        p.ensure_a_worker()
        await p.settle()
        await p.pool.execute("UPDATE organizations SET timezone = 'America/New_York'")
        await p.settle()
        both = {"type": "badges", "badges": ["by-rule", "by-hand"]}
        on_it = await p.badge(before.organization, both)
        await p.until(lambda: p.award(mentor, on_it))
        dated = await p.award(mentor, on_it)
        assert dated is not None
        assert (dated["earned_on"], dated["earned_at"]) == (TENTH, IN_NEW_YORK)

        await provisioning.provision(p.site)
        config = await p.site.connect.config(p.log.connector)
        assert config is not None
        assert "earned_on" in config["column.include.list"]
        # The migration wrote no award to the log: what a person did last is still believed.
        for day in ("2026-02-01", "2026-02-02", "2026-02-03"):
            await p.activity(mentor, day)
        await p.settle()
        awards = [await p.award(mentor, badge) for badge in (before.by_rule, before.by_hand)]
        assert [award and award["tier"] for award in awards] == ["silver", "silver"]
        assert [award and award["tier_earned_on"] for award in awards] == [date(2026, 2, 3)] * 2
        assert [award and award["earned_on"] for award in awards] == [TENTH, TENTH]

        said = [value for _, value in await records(p.site, p.log) if b'"badge_awards"' in value]
        of_people = {value for value in said if b'"changed_by":"postgres"' in value}
        assert len(of_people) == 5, "one found as it was, two taken and given back"
        await p.pool.execute(
            "UPDATE badge_awards SET earned_on = '2026-01-31' WHERE badge_definition_id = $1",
            before.by_hand,
        )
        await p.settle()
        told = {
            value for _, value in await records(p.site, p.log) if b'"earned_on":20484,' in value
        }
        assert len(told) == 1
        await p.verify()
        alerts = await p.pool.fetch(
            "SELECT kind, detail FROM badge_alerts WHERE kind <> ALL ($1)", OF_WAITING
        )
        assert [tuple(row) for row in alerts] == []

    older.run(test)
