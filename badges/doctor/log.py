"""The log: its generation, whether it is whole, its slot and what others hold."""

from collections.abc import Sequence
from typing import Final

from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.kafka import alter
from badges.doctor.lines import CheckResult, failed, ok, warning
from sinks import troubles
from sinks.queries import QUERIES
from streams.errors import NEW_GENERATION, Failure
from streams.log import generations
from streams.log.integrity import judged
from streams.log.topics import LOG_SETTINGS
from streams.log.wal import Slot, insert_lsn, read_slot

_NEEDS: Final = ("postgres", "kafka")
_MUCH_BYTES = 1 << 30
_RESNAPSHOT = "badges resnapshot"


async def _generation(at: Deployment) -> Sequence[CheckResult]:
    live = await at.live()
    if live is None:
        return [await _not_live(at)]
    return [ok(f"generation {live.number}", f"is live, topic {live.topic}")]


async def _half_filled(at: Deployment) -> Sequence[CheckResult]:
    half = await generations.filling(at.connection)
    if half is None:
        return [ok("badge_logs", "no other generation is half filled")]
    message = f"generation {half.number} is half filled, and goes on costing"
    return [warning(f"generation {half.number}", message, _RESNAPSHOT)]


async def _not_live(at: Deployment) -> CheckResult:
    last = await generations.newest(at.connection)
    if last is None:
        return failed("log", "there is no log yet", "badges provision")
    subject = f"generation {last.number}"
    if last.state == "filling":
        message = "its first snapshot is under way, or was interrupted"
        return warning(subject, message, "badges provision")
    reason = str(last.reason or "no reason is noted").removesuffix(f" {NEW_GENERATION}")
    return failed(subject, f"the log is {last.state}", _RESNAPSHOT, words=reason)


async def _prefix(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    try:
        generations.refuse_other_prefix(live, at.chosen.prefix)
    except Failure as failure:
        return [failed("BADGES_PREFIX", failure.message, failure.hint)]
    return [ok("BADGES_PREFIX", f"{at.chosen.prefix}, as the log was made with")]


async def _whole(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    found = await judged(live, at.connection, at.cluster, at.connect)
    if found is None:
        message = f"generation {live.number} says all that the database did"
        return [ok(live.topic, message)]
    if found.kind == "topic_settings":
        fix = alter(live.topic, LOG_SETTINGS)
        return [failed(found.kind, found.message, fix, safe="topics")]
    fix = _RESNAPSHOT if found.lasting else "badges migrate --check prints the statement"
    return [failed(found.kind, found.message, fix)]


async def _positions(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    there = await generations.next_offsets(at.connection, live.log_id)
    missing = sorted(set(range(live.partitions)) - there.keys())
    if not missing:
        return [ok("badge_log_positions", f"each of {live.partitions} partitions has its position")]
    numbers = ", ".join(map(str, missing))
    message = f"partition {numbers} has no position, so nothing of it can be written"
    return [failed("badge_log_positions", message, _RESNAPSHOT)]


async def _slot(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    slot = await read_slot(at.connection, live.slot)
    return [] if slot is None else [slot_holds(live.slot, slot, await insert_lsn(at.connection))]


def slot_holds(name: str, slot: Slot, written: int) -> CheckResult:
    """Whether a slot holds much WAL back, or is about to lose some; `written` ends it (bytes)."""
    retained = 0 if slot.restart is None else written - slot.restart
    safe = slot.safe_wal_size
    held = f"{retained / 1e6:,.0f} MB of WAL are kept for it"
    if slot.wal_status == "unreserved" or (safe is not None and safe < retained):
        message = f"{held}, and it loses them soon (max_slot_wal_keep_size)"
        return failed(name, message, "badges provision", safe="provision")
    if retained > _MUCH_BYTES:
        return warning(name, held, "see `badges lag` for what holds the connector up")
    return ok(name, held)


async def _left_over(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    rows = [
        dict(row)
        for row in await at.connection.fetch(QUERIES["unread_slots"], live.publication, live.slot)
    ]
    over = {each.slot for each in await generations.over(at.connection, live.number)}
    found: list[CheckResult] = []
    for each in troubles.unread_slots(rows):
        drop = f"SELECT pg_drop_replication_slot('{each.subject}');"
        message = f"nobody reads the slot {each.subject}, and Postgres keeps all WAL for it"
        known = each.subject in over
        fix = "badges provision" if known else drop
        found.append(warning(each.subject, message, fix, safe="provision" if known else None))
    return found or [ok("slots", "none is left over of another generation")]


CHECKS = (
    Check("generation", "log", _generation, ("postgres",), ("migrations",)),
    Check("half_filled", "log", _half_filled, ("postgres",), ("generation",)),
    Check("prefix", "log", _prefix, ("postgres",), ("generation",)),
    Check("log_whole", "log", _whole, _NEEDS, ("generation", "prefix", "primary"), patience=6),
    Check("positions", "log", _positions, ("postgres",), ("generation",)),
    Check("slot", "log", _slot, ("postgres",), ("generation", "primary")),
    Check("slots_left_over", "log", _left_over, ("postgres",), ("generation", "primary")),
)
