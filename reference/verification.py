"""Every award, its events and all statistics against a brute-force reading of the log.

The log is read from its beginning, versions of rules take effect where the worker recorded them
(badge_rule_positions), and the reference evaluates every mentor after every event. What that gives
is compared with the tables in one snapshot of Postgres, up to the offsets that it records.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from reference import results
from reference.partition import mentors_in
from reference.reference import Reference
from reference.refused_writes import Pair, awards_then, stats_then
from reference.results import AwardEvent, Results
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure
from streams.lag.catching_up import Behind, until_decided
from streams.log import generations
from streams.log.kafka import KafkaAccess
from streams.log.reader import KafkaLog
from streams.log.wal import insert_lsn
from tables.types import Award, Mentor, Stats

_COMPARED = (
    "earned_at", "earned_on", "tier", "tier_earned_at", "tier_earned_on", "revoked_by",
    "awarded_by", "definition_version", "changed_by",
)  # fmt: skip
_NOTHING = "no row"


@dataclass(frozen=True)
class Mismatch:
    """One thing that is not as it should be. `badge` is a definition's id; empty for statistics."""

    peer_mentor_id: str
    badge: str
    what: str
    expected: str
    found: str


@dataclass(frozen=True)
class Verified:
    """What was compared, of mentors that are there, and everything that differs."""

    records: int
    mentors: int
    awards: int
    mismatches: Sequence[Mismatch]


async def verify(
    connection: Connection,
    kafka: KafkaAccess,
    *,
    limit: float = 60,
    report: Callable[[int, int], None] = lambda _done, _all: None,
) -> Verified:
    """Wait until the worker has caught up, then compare everything.

    A mismatch is looked at twice: rows that people write meanwhile are in the tables before they
    are in the log. `limit` is in seconds, for each wait. `report` hears how many records are read,
    of how many. Raises Failure when there is no live log, or the worker does not catch up.
    """
    verified = await _compare_once(connection, kafka, limit, report)
    if verified.mismatches:
        before = set(verified.mismatches)
        verified = await _compare_once(connection, kafka, limit, report)
        lasting = [mismatch for mismatch in verified.mismatches if mismatch in before]
        return replace(verified, mismatches=lasting)
    return verified


async def caught_up(connection: Connection, kafka: KafkaAccess, limit: float) -> Results:
    """What is recorded once the worker has decided everything that is committed now.

    New versions of rules are applied in every partition by then. Raises Failure after `limit`
    seconds, and at once where no log is live.
    """
    if await generations.live(connection) is not None:
        try:
            await until_decided(connection, kafka, await insert_lsn(connection), limit)
        except Behind as behind:
            raise Failure(str(behind), code=FOUND_A_PROBLEM) from None
    return await results.read(connection)


async def _compare_once(
    connection: Connection,
    kafka: KafkaAccess,
    limit: float,
    report: Callable[[int, int], None],
) -> Verified:
    found = await caught_up(connection, kafka, limit)
    log = KafkaLog(kafka, found.log.topic)
    mentors: dict[str, Reference] = {}
    done, total = 0, sum(found.next_offsets.values())
    for partition, end in found.next_offsets.items():
        report(done, total)
        records = [record async for chunk in log.read(partition, 0, end) for record in chunk]
        mentors |= await asyncio.to_thread(mentors_in, found, partition, records)
        done += len(records)
    report(done, done)
    mismatches = sorted(compare(found, mentors), key=lambda d: (d.peer_mentor_id, d.badge, d.what))
    return Verified(done, len(found.stats), len(found.awards), mismatches)


def compare(found: Results, mentors: Mapping[str, Reference]) -> Iterator[Mismatch]:
    """Everything in which the tables differ from the reference, once what waits is written."""
    awards = {
        (mentor, badge): award
        for mentor, reference in mentors.items()
        for badge, award in reference.awards.items()
    }
    rows = awards_then(found.awards, found.refused)
    yield from _compare(
        "award", {(row.peer_mentor_id, row.badge_definition_id): row for row in rows}, awards
    )
    stats = {
        (mentor, ""): reference.stats()
        for mentor, reference in mentors.items()
        if mentor in reference.rows[Mentor]
    }
    there = stats_then(found.stats, found.refused)
    yield from _compare("stats", {(row.peer_mentor_id, ""): row for row in there}, stats)
    yield from _compare_events(found.awards, found.events)


def _compare(
    kind: str, rows: Mapping[Pair, Award | Stats], due: Mapping[Pair, Award | Stats]
) -> Iterator[Mismatch]:
    """Rows that are there against those that should be, column by column."""
    for pair in sorted(rows.keys() | due.keys()):
        row, wanted = rows.get(pair), due.get(pair)
        if row is None or wanted is None:
            yield Mismatch(*pair, kind, _row(wanted), _row(row))
            continue
        for name in _COMPARED if kind == "award" else Stats.__struct_fields__:
            should, is_ = getattr(wanted, name), getattr(row, name)
            if should != is_ and not _is_unsaid(wanted, name):
                what = name if kind == "award" else f"stats.{name}"
                yield Mismatch(*pair, what, _text(should), _text(is_))


def _is_unsaid(wanted: Award | Stats, name: str) -> bool:
    """Whether it is a date that a log from before its column does not say."""
    if isinstance(wanted, Stats) or name not in ("earned_on", "tier_earned_on"):
        return False
    return getattr(wanted, name) is None and (name == "earned_on" or wanted.tier is not None)


def _compare_events(awards: Iterable[Award], events: Iterable[AwardEvent]) -> Iterator[Mismatch]:
    """One grant an award row, and a last event that agrees with the row."""
    by_award: dict[str, list[AwardEvent]] = {}
    for event in events:
        by_award.setdefault(event.badge_award_id, []).append(event)
    for award in awards:
        mine = by_award.get(award.id, [])
        grants = sum(event.kind == "granted" for event in mine)
        who = (award.peer_mentor_id, award.badge_definition_id)
        if grants != 1:
            yield Mismatch(*who, "granted events", "1", str(grants))
            continue
        states = [event.kind for event in mine if event.kind != "promoted"]
        state = "revoked" if award.revoked_by else "held"
        last = "revoked" if states[-1] == "revoked" else "held"
        if last != state:
            yield Mismatch(*who, "last event", state, last)
        if award.tier is not None and mine[-1].tier != award.tier:
            yield Mismatch(*who, "tier of the last event", award.tier, _text(mine[-1].tier))


def _row(row: Award | Stats | None) -> str:
    if row is None:
        return _NOTHING
    if isinstance(row, Stats):
        return f"{row.activity_count} activities"
    tier = f", {row.tier}" if row.tier else ""
    revoked = f", revoked by {row.revoked_by}" if row.revoked_by else ""
    return f"earned {row.earned_at:%Y-%m-%d %H:%M %Z}{tier}{revoked}, by {row.awarded_by}"


def _text(value: object) -> str:
    return "nothing" if value is None else str(value)
