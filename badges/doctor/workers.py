"""The workers: whether any is there, whether each partition has one, and who they are."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, failed, ok, warning
from streams.evaluator import FINGERPRINT
from streams.lag.backlog import backlog
from streams.log.cluster import Member

_NEEDS: Final = ("postgres", "kafka")
_SUFFIX = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
"""What Kafka adds to a static member's name; it is another one for each that joins."""


async def _connected(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    at.members_at_first = await at.cluster.members(live.group)
    found = await backlog(live, at.connection, at.cluster)
    if found.sessions == 0:
        waits = sum(found.behind.values())
        message = f"no worker is connected to the database; records that wait: {waits:,}"
        return [failed("workers", message, "badges worker")]
    return [ok("workers", f"hold {found.sessions} sessions with the database")]


async def _group(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    group = live.group
    members = await at.cluster.members(group)
    owned = {number for each in members for number in each.partitions}
    missing = sorted(set(range(live.partitions)) - owned)
    if not missing:
        return [ok(group, f"partitions: {live.partitions}, members: {len(members)}")]
    numbers = ", ".join(map(str, missing))
    message = f"nobody reads partition {numbers} (members: {len(members)})"
    return [failed(group, message, "badges worker")]


def displaced(before: Iterable[Member], now: Iterable[Member]) -> list[str]:
    """The static names that another member has now than a moment ago."""
    first = {_SUFFIX.sub("", each.name): each.name for each in before if _is_static(each)}
    later = {_SUFFIX.sub("", each.name): each.name for each in now}
    return sorted(name for name, member in first.items() if later.get(name, member) != member)


def _is_static(member: Member) -> bool:
    """Whether it has a name of its own; the others are all called like the client."""
    return _SUFFIX.search(member.name) is not None and not member.name.startswith("aiokafka-")


async def _names(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    members = await at.cluster.members(live.group)
    found = [
        failed(
            name,
            f"two workers that are alive have the name {name}, and throw each other out",
            "give each a BADGES_INSTANCE_DIRECTORY of its own, and start them again",
        )
        for name in displaced(at.members_at_first, members)
    ]
    return found or [ok(live.group, "no name is another member's than at first")]


async def _evaluator(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    rows = await at.connection.fetch(
        "SELECT evaluator FROM badge_log_positions "
        "WHERE log_id = $1 AND evaluator IS NOT NULL AND turn > 0",
        live.log_id,
    )
    other = Counter(row["evaluator"] for row in rows if row["evaluator"] != FINGERPRINT)
    if not other:
        return [ok("evaluator", f"workers decide as this version does ({FINGERPRINT[:8]})")]
    which = ", ".join(each[:8] for each in other)
    message = f"{other.total()} partitions were decided last by another version ({which})"
    return [warning("evaluator", message, "start workers of this version; see `badges replay`")]


CHECKS = (
    Check("workers", "workers", _connected, _NEEDS, ("generation",)),
    Check("worker_group", "workers", _group, _NEEDS, ("workers",)),
    Check("worker_version", "workers", _evaluator, ("postgres",), ("generation",)),
)
LAST = (Check("worker_names", "workers", _names, _NEEDS, ("workers",)),)
"""Asked at the end, when some time has passed."""
