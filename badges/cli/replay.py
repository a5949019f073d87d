"""`badges replay`: everything decided anew from the log, and what differs from the tables."""

from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated, get_args
from uuid import UUID

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from badges import event_loop, logs, organizations, settings
from badges.cli.options import Json, print_json
from badges.cli.replay_progress import ReplayProgress
from badges.upkeep import replaying
from badges.upkeep.replaying import Order, ReplayPlan
from schema.database import connect
from sinks.pool import Connection
from streams.errors import Failure
from streams.evaluator_change import EVALUATOR_CHANGED
from streams.recovery import Rules
from streams.replay import Scope
from streams.replayed import Item, ItemKind, Replayed, Unexplained
from tables.decisions import Kind
from tables.documents import nearest, shown

_RATE = 20_000.0
"""Records a second: a fifth of what a core folds, so that workers beside it hardly notice."""

_SHOWN = 50
"""Rows of a table; --json has them all."""


def replay(
    apply: Annotated[
        bool, typer.Option("--apply", help="Write what is missing; without it nothing is written.")
    ] = False,
    organization: Annotated[
        str | None, typer.Option(help="Only this organization's mentors: its slug or id.")
    ] = None,
    mentor: Annotated[UUID | None, typer.Option(help="Only this mentor.")] = None,
    badge: Annotated[
        str | None, typer.Option(help="Only this badge: its key or id. No statistics then.")
    ] = None,
    rules: Annotated[
        Rules,
        typer.Option(
            help="live: each version from where it took effect; today: the newest of each for the "
            "whole history, to see what they would have given."
        ),
    ] = "live",
    processes: Annotated[
        int, typer.Option(min=1, max=64, help="So many partitions are replayed at once.")
    ] = 1,
    max_rate: Annotated[
        float,
        typer.Option(
            min=0, help="Records read a second, by all processes together; 0: as fast as possible."
        ),
    ] = _RATE,
    as_json: Json = False,
) -> None:
    """Decide everything anew from the log, and compare.

    Workers go on meanwhile. With --apply a partition's worker is held for the moment of writing.
    """
    if apply and rules == "today":
        raise Failure(
            "--rules today only shows: workers go by the rules as they took effect, and would know "
            "nothing of what was written by others",
            hint="To put a badge's rule of today into effect for the whole history, save its "
            "definition anew",
        )
    chosen = settings.load()

    async def replayed() -> Result:
        logs.configure(level="CRITICAL")
        scope = await _scope(chosen, organization, mentor, badge)
        return await _replay(chosen, Order(scope, rules, apply, max_rate or None), processes)

    result = event_loop.run(replayed)
    if as_json:
        print_json(result)
    else:
        _print(result, Console(highlight=False))


class Result(msgspec.Struct, frozen=True):
    """What --json prints. `applied`: whether it was written."""

    nothing_to_do: bool
    applied: bool
    generation: int
    records: int
    counts: dict[str, int]
    refused: int
    items: Sequence[Item]
    unexplained: Sequence[Unexplained]


async def _replay(chosen: settings.Settings, order: Order, processes: int) -> Result:
    plan = await replaying.plan(chosen, order.scope)
    replayed = await _run(chosen, order, plan, processes)
    result = _result(replayed, plan, applied=order.apply)
    agrees = order.scope.whole and order.rules == "live" and (order.apply or result.nothing_to_do)
    if agrees and not await replaying.settle_change(chosen):
        typer.echo(f"badges: the alert {EVALUATOR_CHANGED} may stay open", err=True)
    return result


async def _run(
    chosen: settings.Settings, order: Order, plan: ReplayPlan, processes: int
) -> list[Replayed]:
    with ReplayProgress(sum(plan.records.values())) as progress:
        if processes == 1 or len(plan.records) == 1:
            going = replaying.replay_here(chosen, order, plan, progress.read)
        else:
            going = replaying.replay_in_processes(chosen, order, plan, progress.read, processes)
        async with aclosing(going) as found:
            return [each async for each in found]


async def _scope(
    chosen: settings.Settings, organization: str | None, mentor: UUID | None, badge: str | None
) -> Scope:
    """What is asked for, by ids. Raises Failure where there is no such thing."""
    async with connect(chosen.database) as connection:
        own = definitions = None
        if organization is not None:
            own = str((await organizations.find(connection, organization)).id)
        if badge is not None:
            definitions = await _definitions(connection, badge)
    return Scope(own, str(mentor) if mentor else None, definitions)


async def _definitions(connection: Connection, badge: str) -> frozenset[str]:
    """The ids of the badges of that key, or of that id."""
    named = await replaying.keys(connection)
    definitions = frozenset(id_ for id_, key in named.items() if badge in (key, id_))
    if not definitions:
        close = nearest(badge, sorted(set(named.values())))
        raise Failure(
            f"no badge has the key or id {shown(badge)}{f' ({close})' if close else ''}",
            hint="SELECT key, id FROM badge_definitions lists them",
        )
    return definitions


def _result(replayed: Sequence[Replayed], plan: ReplayPlan, *, applied: bool) -> Result:
    replayed = sorted(replayed, key=lambda each: each.partition)
    items = [item for each in replayed for item in each.items]
    counted = Counter(item.kind for item in items)
    kinds: tuple[ItemKind, ...] = (*get_args(Kind), "stats")
    return Result(
        nothing_to_do=not items,
        applied=applied,
        generation=plan.generation,
        records=sum(each.records for each in replayed),
        counts={kind: counted[kind] for kind in kinds},
        refused=sum(each.refused for each in replayed),
        items=items,
        unexplained=[left for each in replayed for left in each.unexplained],
    )


def _print(result: Result, console: Console) -> None:
    read = f"{result.records:,} records of generation {result.generation}"
    if result.nothing_to_do:
        console.print(f"Nothing to do: the tables are what {read} give.")
    else:
        counts = ", ".join(f"{count:,} {kind}" for kind, count in result.counts.items() if count)
        done = "Written" if result.applied else "To be written (--apply does it)"
        console.print(f"{done}, by {read}: {counts}.")
        console.print(_items(result.items))
    if result.refused:
        console.print(f"Postgres refuses {result.refused:,} of it, which waits: see `badges lag`.")
    if result.unexplained:
        console.print(f"Left as they are, {len(result.unexplained):,}: the log does not say why.")
        console.print(_left(result.unexplained))


def _items(items: Sequence[Item]) -> Table:
    table = Table("what", "mentor", "badge", "earned on", "tier", "now", box=None)
    for item in items[:_SHOWN]:
        badge = item.key or item.badge_definition_id or ", ".join(item.after)
        now = "no row" if item.believed is None else _state(item)
        table.add_row(
            item.kind, item.peer_mentor_id, badge, item.earned_on or "", item.tier or "", now
        )
    return _cut(table, len(items))


def _state(item: Item) -> str:
    believed = item.believed or {}
    if item.kind == "stats":
        return ", ".join(str(value) for value in believed.values())
    revoked, tier = believed["revoked_by"], believed["tier"]
    return ", ".join([*([tier] if tier else []), f"revoked by {revoked}" if revoked else "held"])


def _left(left: Sequence[Unexplained]) -> Table:
    table = Table("mentor", "badge", "earned on", "why", box=None)
    for each in left[:_SHOWN]:
        badge = each.key or each.badge_definition_id
        table.add_row(each.peer_mentor_id, badge, each.earned_on or "", each.reason)
    return _cut(table, len(left))


def _cut(table: Table, rows: int) -> Table:
    if rows > _SHOWN:
        table.add_row(f"and {rows - _SHOWN:,} more")
    return table
