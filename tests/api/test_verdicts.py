"""Verdicts by what an organization knows: its badges and what they need, circles among them."""

import json
from datetime import date
from functools import partial
from typing import Any

import pytest
from anyio import to_thread
from typer.testing import CliRunner

from badges.cli.commands import app
from badges.queries.verdicts import Verdict, judge, judge_alone
from sinks.pool import Pool
from streams.errors import Failure
from tests.api.conftest import Organization
from tests.api.definitions import FIRST, VISITS, badges
from tests.api.mentors import define
from tests.api.service import Service

pytestmark = pytest.mark.anyio


async def judged(
    owner: Pool, organization: Organization, document: dict[str, Any], **definition: Any
) -> Verdict:
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute(
            "SELECT set_config('badges.organization', $1, true)", organization.id
        )
        return await judge(connection, json.dumps(document), "en", **definition)


FIRST_PART = {"type": "threshold", "metric": "count", "at_least": 1}
PART_C = {"type": "badges", "badges": ["c"]}


def said(verdict: Verdict) -> list[tuple[str, str]]:
    return [(each.path, each.message) for each in verdict.errors]


async def test_a_badge_that_asks_for_itself_is_an_error(owner: Pool, mine: Organization) -> None:
    await define(owner, mine.id, FIRST, key="first")
    verdict = await judged(owner, mine, badges("first", "new"), key="new")
    expected = (
        "expected a badge that does not ask for this one in turn, found the circle new -> new"
    )
    assert said(verdict) == [("$.badges[1]", expected)]
    assert verdict.criteria is not None
    assert verdict.summary is None


async def test_a_circle_is_an_error_however_long(owner: Pool, mine: Organization) -> None:
    await define(owner, mine.id, badges("b"), key="a")
    await define(owner, mine.id, {"version": 1, "type": "any", "of": [FIRST_PART, PART_C]}, key="b")
    closing = {"version": 1, "type": "all", "of": [FIRST_PART, {"type": "badges", "badges": ["a"]}]}
    verdict = await judged(owner, mine, closing, key="c")
    assert [each.path for each in verdict.errors] == ["$.of[1].badges[0]"]
    assert verdict.errors[0].message.endswith("found the circle c -> a -> b -> c")
    assert (await judged(owner, mine, closing, key="d")).valid


async def test_what_was_saved_before_under_the_key_closes_no_circle(
    owner: Pool, mine: Organization
) -> None:
    await define(owner, mine.id, FIRST, key="a")
    await define(owner, mine.id, badges("a"), key="b")
    assert (await judged(owner, mine, FIRST, key="b")).valid
    assert (await judged(owner, mine, badges("a"), key="b")).valid
    assert not (await judged(owner, mine, badges("b"), key="a")).valid


async def test_a_retired_badge_asks_for_nothing(owner: Pool, mine: Organization) -> None:
    await define(owner, mine.id, FIRST, key="a")
    await define(owner, mine.id, badges("a"), key="b")
    await owner.execute(
        "UPDATE badge_definitions SET status = 'retired' WHERE organization_id = $1 AND key = 'b'",
        mine.id,
    )
    assert (await judged(owner, mine, badges("b"), key="a")).valid


async def test_a_key_names_the_organizations_own_badge_first(
    owner: Pool, mine: Organization, other: Organization
) -> None:
    key = f"shared-{mine.id}"
    await define(owner, None, badges("a"), key=key)
    assert not (await judged(owner, mine, badges(key), key="a")).valid
    await define(owner, mine.id, FIRST, key=key)
    assert (await judged(owner, mine, badges(key), key="a")).valid
    assert not (await judged(owner, other, badges(key), key="a")).valid


async def test_criteria_that_cannot_be_read_ask_for_nothing(
    owner: Pool, mine: Organization
) -> None:
    await define(owner, mine.id, FIRST, key="a")
    await define(owner, mine.id, badges("a") | {"at_least": 7}, key="b")
    assert (await judged(owner, mine, badges("b"), key="a")).valid


async def test_what_can_never_hold_from_the_date_on_is_an_error(
    owner: Pool, mine: Organization
) -> None:
    window = {"from": "2026-01-01", "to": "2026-01-31"}
    season = VISITS | {"window": window}
    assert (await judged(owner, mine, season, counts_from=date(2026, 1, 31))).valid
    verdict = await judged(owner, mine, season, counts_from=date(2026, 2, 1))
    message = 'expected a date from 2026-02-01 on, when rows begin to count, found "2026-01-31"'
    assert said(verdict) == [("$.window.to", message)]
    days = season | {"metric": "active_days", "at_least": 20}
    assert judge_alone(json.dumps(days), "en", counts_from=date(2026, 1, 12)).valid
    too_many = {key: value for key, value in days.items() if key != "version"} | {"at_least": 21}
    parts = {"version": 1, "type": "any", "of": [FIRST_PART, too_many]}
    verdict = judge_alone(json.dumps(parts), "en", counts_from=date(2026, 1, 12))
    message = "expected an integer from 1 to 20, the number of days, found 21"
    assert said(verdict) == [("$.of[1].at_least", message)]


async def test_the_command_judges_for_an_organization(
    service: Service, owner: Pool, mine: Organization, monkeypatch: pytest.MonkeyPatch
) -> None:
    await define(owner, mine.id, FIRST, key="first-visit")
    monkeypatch.setenv("BADGES_DATABASE_URL", service.database_url)
    arguments = ["criteria", "validate", "-", "--organization"]

    async def run(*more: str) -> Any:
        invoke = partial(CliRunner().invoke, app, [*arguments, *more])
        return await to_thread.run_sync(partial(invoke, input=json.dumps(badges("frist-visit"))))

    result = await run(mine.id)
    assert result.exit_code == 1
    assert result.output == (
        "$.badges[0]: expected the key of a badge of this organization or of every organization, "
        'found "frist-visit" (did you mean "first-visit"?)\n'
    )
    assert "forventet nøkkelen" in (await run(mine.id, "--lang", "nb")).output
    nobody = await run("nobody")
    assert isinstance(nobody.exception, Failure)
    assert 'no organization has the slug or id "nobody"' in str(nobody.exception)
