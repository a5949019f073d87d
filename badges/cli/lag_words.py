"""What `badges lag` says in words: the headline, a line for each measurement, what is under way."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from streams.lag.backfill import Backfill
from streams.lag.pulse import Restoring
from streams.lag.stages import CatchUp, FillingState, GenerationState, Lag, Stage

_SHORT: Mapping[tuple[str, str], str] = {
    ("slot", "unreachable"): "Postgres does not answer",
    ("slot", "missing"): "Postgres has no slot of the log",
    ("slot", "behind"): "rows do not leave Postgres in time",
    ("connector", "unreachable"): "Kafka Connect does not answer",
    ("connector", "missing"): "the connector is missing",
    ("connector", "behind"): "the connector sends nothing",
    ("connector", "stopped"): "the connector does not run",
    ("kafka", "unreachable"): "Kafka does not answer",
    ("kafka", "missing"): "the topic of the log is gone",
    ("kafka", "behind"): "rows in Kafka wait for the worker",
    ("worker", "missing"): "there is no log to work on",
    ("worker", "stopped"): "no worker gets on",
    ("worker", "behind"): "the worker is behind",
}
"""A stage that holds up the others, in a few words."""

_MOST_NAMED = 6
"""So many partitions of which a worker reads the state are named."""

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"))


def headline(found: Lag) -> tuple[str, str]:
    """On time or not, and how far behind."""
    word = "On time" if found.on_time else "Not on time"
    behind = "how far behind is not known"
    if found.behind_seconds is not None:
        rows = found.behind_records
        waits = "" if rows is None else f", {number(rows, 'record')} to decide"
        behind = f"{found.behind_seconds:,.1f} s behind{waits}"
    return word, behind


def why(found: Lag) -> str:
    """What holds it up, in a few words; empty when it is on time."""
    if found.on_time:
        return ""
    stage = culprit(found)
    if stage is not None:
        return _SHORT[stage.name, stage.state]
    if found.generation is not None and found.generation.state != "live":
        return next(_of_generation(found.generation))
    return f"open alerts: {', '.join(found.alerts)}"


def culprit(found: Lag) -> Stage | None:
    """The stage that holds up the others."""
    return next((each for each in found.stages if each.name == found.stage), None)


def line(found: Lag, at: datetime) -> str:
    """One measurement in one line, with the time of here at which it was made."""
    word, behind = headline(found)
    parts = [f"{at:%Y-%m-%d %H:%M:%S} {word.lower()}", behind]
    if reason := why(found):
        parts.append(reason)
    stage = culprit(found)
    if stage is not None and stage.message:
        parts.append(stage.message)
    parts += progress(found)
    return "; ".join(parts)


def progress(found: Lag) -> Iterator[str]:
    """What is under way, and how long it lasts."""
    if found.restoring:
        yield _restoring(found.restoring)
    if found.catch_up:
        yield _catch_up(found.catch_up)
    if found.backfill:
        yield _backfill(found.backfill)
    if found.filling:
        yield _filling(found.filling)
    # Whether there is one nobody knows while Postgres does not answer.
    if not _is_away(found) and (
        found.generation is None or found.generation.state not in ("live", "filling")
    ):
        yield from _of_generation(found.generation)


def _is_away(found: Lag) -> bool:
    return any(each.name == "slot" and each.state == "unreachable" for each in found.stages)


def _of_generation(generation: GenerationState | None) -> Iterator[str]:
    """That no log is live, if so."""
    if generation is None:
        yield "There is no log: run `badges provision`"
    elif generation.state != "live":
        yield f"Generation {generation.number} of the log is {generation.state}"


def _restoring(found: Sequence[Restoring]) -> str:
    read, all_of = sum(each.records for each in found), sum(each.of_records for each in found)
    numbers = ", ".join(str(each.partition) for each in found[:_MOST_NAMED])
    more = len(found) - _MOST_NAMED
    seconds = [each.seconds_left for each in found]
    known = [each for each in seconds if each is not None]
    left = max(known) if known and len(known) == len(seconds) else None
    return (
        f"Workers read their state: {read:,} of {number(all_of, 'record')}{_left(left)}; partition "
        f"{numbers}{f' and {more} more' if more > 0 else ''}"
    )


def _catch_up(found: CatchUp) -> str:
    waits = f"Catching up: {number(found.records, 'record')} to go"
    if found.records_per_second is None:
        return f"{waits}, how long is not known yet"
    return f"{waits}, {found.records_per_second:,.0f} fewer a second{_left(found.seconds_left)}"


def _backfill(found: Backfill) -> str:
    return (
        f"Newer versions of {number(found.definitions, 'rule')} are taken up in "
        f"{found.partitions_done} of {found.partitions} partitions{_left(found.seconds_left)}"
    )


def _filling(found: FillingState) -> str:
    rows = "?" if found.rows is None else f"{found.rows:,}"
    return (
        f"Generation {found.number} of the log is being filled: {rows} of about "
        f"{found.of_rows:,} rows{_left(found.seconds_left)}"
    )


def _left(seconds: float | None) -> str:
    return "" if seconds is None else f", {duration(seconds)} left"


def number(amount: int, what: str) -> str:
    return f"{amount:,} {what}{'' if amount == 1 else 's'}"


def duration(seconds: float) -> str:
    """Seconds as people say them: 42 s, 5 min, 3.5 h."""
    for unit, name in _UNITS:
        if seconds >= 2 * unit:
            return f"{seconds / unit:,.0f} {name}"
    return f"{seconds:,.0f} s"
