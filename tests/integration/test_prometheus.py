"""A real Prometheus that scrapes real workers and the API: it answers all that we have it asked."""

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import pytest

from badges.stack.layout import HOST
from tests import often_checkpoints
from tests.dashboards import filled, queries, rules
from tests.integration.commands import Command
from tests.integration.pipeline import Pipeline, Rig, count_of
from tests.integration.prometheus import Prometheus, scraping
from tests.integration.serving import served
from tests.integration.workers import Worker
from tests.stack import LIMIT_S, free_port_base

POISON = (
    "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
    "VALUES (gen_random_uuid(), $1, 'visit', 'infinity')"
)
EACH_AWARD_ONCE = (
    'sum(badges_commit_to_award_seconds_count) == sum(badges_awards_total{source="stream"}) > 0'
)
CONDITION = re.compile(r"(==|>=|<=|>|<) (?=[0-9])")


@asynccontextmanager
async def watched(p: Pipeline, program: Path) -> AsyncIterator[tuple[Prometheus, list[Worker]]]:
    """The API, and Prometheus that scrapes it and two workers, which are not started yet."""
    run_dir = p.stack.infra.layout.run_dir
    with served(p) as api:
        base = free_port_base()
        ports = (base + 1, base + 2)
        workers = [
            p.worker(
                BADGES_METRICS_PORT=str(port),
                BADGES_CHECKPOINTS=str(run_dir / f"checkpoints-{port}"),
            )
            for port in ports
        ]
        targets = {
            "badges-api": [api.removeprefix("http://")],
            "badges-worker": [f"{HOST}:{port}" for port in ports],
        }
        async with scraping(p.stack.infra.layout, program, base, targets) as prometheus:
            yield prometheus, workers


async def everything_happens(p: Pipeline) -> None:
    """An award, an audit, and a row that nobody can use."""
    organization, mentor = await p.newcomer()
    await p.badge(organization, count_of(1))
    await p.settle()
    await p.activity(mentor, "2026-03-01")
    await p.settle()
    code, out, err = await (
        await Command(p, "audit", "--json", f"--limit={LIMIT_S:g}").start()
    ).end()
    assert code == 0, out + err
    await p.pool.execute(POISON, mentor)


async def all_answered(found: Prometheus, unanswered: dict[str, str]) -> bool:
    """Strike out what gives series by now; whether nothing is left."""
    for place, query in [*unanswered.items()]:
        if await found.ask(query):
            del unanswered[place]
    return not unanswered


def test_every_query_of_dashboards_and_rules_gives_series(unmanned: Rig, prometheus: Path) -> None:
    async def test(p: Pipeline) -> None:
        async with watched(p, prometheus) as (found, workers):
            for worker in workers:
                worker.module = often_checkpoints.__name__
            await p.at_work(*workers)
            await p.until(partial(found.has, "sum(up)", 3), what="three targets that answer")
            await everything_happens(p)

            unanswered = {place: asked(query) for place, query in queries().items()}
            try:
                await p.until(partial(all_answered, found, unanswered))
            except AssertionError:
                pytest.fail(f"no series of {unanswered}")

            rules_there = await found.rules()
            names = {rule.get("alert") or rule["record"] for rule in rules()}
            assert {rule["name"] for rule in rules_there} == names
            assert {rule["health"] for rule in rules_there} == {"ok"}
            dead = 'count(ALERTS{alertname="BadgesDeadLetters", alertstate="firing"})'
            await p.until(partial(found.has, dead, 1), what="the alert of dead letters")
            await p.until(partial(found.ask, EACH_AWARD_ONCE), what="a time for each award")

    unmanned.run(test)


def test_prometheus_sees_frozen_workers_and_that_they_go_on(
    unmanned: Rig, prometheus: Path
) -> None:
    async def test(p: Pipeline) -> None:
        _, mentor = await p.newcomer()
        late = 'count(ALERTS{alertname="BadgesNotOnTime"})'
        down = 'count(ALERTS{alertname="BadgesTargetDown"})'
        on_time, stage = "min(badges_on_time)", 'min(badges_lag_stage_ok{{stage="{}"}})'
        async with watched(p, prometheus) as (found, workers):
            await p.at_work(*workers)
            await p.settle()
            await p.until(partial(found.has, on_time, 1), what="awards that are on time")
            for worker in workers:
                worker.pause()
            await p.activity(mentor, "2026-03-01")

            await p.until(partial(found.has, late, 1), what="the alert that nothing is on time")
            await p.until(partial(found.has, down, 2), what="the alert of both workers")
            await p.until(partial(found.has, stage.format("worker"), 0), what="a late stage")
            await p.until(partial(found.has, stage.format("connector"), 1), what="the others' time")

            for worker in workers:
                worker.resume()
            await p.until(partial(found.has, on_time, 1), what="awards that are on time again")
            await p.until(partial(found.has, late, None), what="the end of the alert")

    unmanned.run(test)


def asked(query: str) -> str:
    """A query as Grafana asks it; of a condition, what it compares, whether it holds or not."""
    return CONDITION.sub(r"\1 bool ", filled(query, rate="30s", whole="5m"))
