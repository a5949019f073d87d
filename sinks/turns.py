"""What a store does with a turn, whichever it is: which decisions count, in which order."""

from collections.abc import Iterable

from sinks.base import MentorDeleted, Turn
from tables.decisions import Decision
from tables.types import Award


def outdated(turn: Turn) -> list[Decision]:
    """Return decisions made before their mentor's delete in the same turn: they are void."""
    left = {d.peer_mentor_id: d.cause.offset for d in turn.mentors_deleted}
    return [
        decision
        for decision in turn.decisions
        if decision.after.peer_mentor_id in left
        and _place(decision) < (left[decision.after.peer_mentor_id], True)
    ]


def waves(decisions: Iterable[Decision]) -> list[list[Decision]]:
    """Split into parts with at most one of a mentor and badge: all firsts, all seconds, ..."""
    parts: list[list[Decision]] = []
    seen: dict[tuple[str, str], int] = {}
    for decision in decisions:
        pair = decision.after.peer_mentor_id, decision.after.badge_definition_id
        wave = seen.get(pair, 0)
        seen[pair] = wave + 1
        if wave == len(parts):
            parts.append([])
        parts[wave].append(decision)
    return parts


def transactions(turn: Turn) -> set[int]:
    causes = [decision.cause for decision in turn.decisions]
    causes += [deleted.cause for deleted in turn.mentors_deleted]
    return {*turn.xids, *(cause.xid for cause in causes if cause.xid is not None)}


def once_written(
    rows: Iterable[Award], waiting: Iterable[Decision | MentorDeleted]
) -> dict[tuple[str, str], Award]:
    """The awards, by mentor and definition, as they are once what waits is written to `rows`."""
    held = {(row.peer_mentor_id, row.badge_definition_id): row for row in rows}
    for item in waiting:
        if isinstance(item, MentorDeleted):
            held = {
                pair: row
                for pair, row in held.items()
                if pair[0] != item.peer_mentor_id or row.changed_by != "rule"
            }
        else:
            _write_once(held, item)
    return held


def _write_once(held: dict[tuple[str, str], Award], decision: Decision) -> None:
    after, believed = decision.after, decision.believed
    pair = after.peer_mentor_id, after.badge_definition_id
    row = held.get(pair)
    if decision.kind == "granted":
        held.setdefault(pair, after)
    elif row is None or row.id != after.id:
        return
    elif decision.kind == "withdrawn":
        if is_the_rules(row):
            del held[pair]
    elif believed is not None and is_believed(row, believed):
        held[pair] = after


def is_of_deleted(decision: Decision, deleted: int | None) -> bool:
    """Whether it gives a badge whose definition was deleted since, in that version at the latest.

    A row that is to change was inserted after that, if it is there: the others went with the
    definition.
    """
    if deleted is None or decision.kind not in ("granted", "withdrawn"):
        return False
    return deleted > decision.definition_version


def is_the_rules(row: Award) -> bool:
    return (row.awarded_by, row.changed_by) == ("rule", "rule")


def is_believed(row: Award, believed: Award) -> bool:
    """Whether a row still is what the fold believes; a person was faster where it is not."""
    if row.changed_in is not None and believed.changed_in not in (None, row.changed_in):
        return False
    # Where the rule wrote last nobody was faster: a replay may have written a person's row back.
    return (row.tier, row.revoked_by) == (believed.tier, believed.revoked_by) and (
        row.changed_by in ("rule", believed.changed_by)
    )


def _place(decision: Decision) -> tuple[int, bool]:
    """Where in the log it was made; versions take effect before the record at their offset."""
    return decision.cause.offset, decision.cause.turn is None
