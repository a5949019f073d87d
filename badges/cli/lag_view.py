"""What `badges lag` shows on a terminal: the most important first, as much as there is room for."""

from collections import deque
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from badges.cli import lag_words as words
from badges.remedies import remedy_of
from streams.lag.stages import Lag, PartitionLag, Stage

_MOST_PARTITIONS = 12
"""So many of those that are behind are shown, the latest first."""

_COLORS = {"ok": "green", "behind": "yellow"}
_BARS = "▁▂▃▄▅▆▇█"
_KEPT = 120
_LEAST_TOP_S = 5.0
_KEPT_COLUMNS, _WIDE_ENOUGH = 3, 11
"""So many columns of a table stay whole, and how wide such a column is."""


class Sparkline:
    """The seconds behind of the last measurements, as a line of bars: as many as there is room for.

    The highest bar is the most of them, five seconds at least; a gap is what was not known.
    """

    def __init__(self) -> None:
        self._seconds: deque[float | None] = deque(maxlen=_KEPT)

    def add(self, found: Lag) -> None:
        self._seconds.append(found.behind_seconds)

    def __rich_console__(self, _: Console, options: ConsoleOptions) -> RenderResult:
        most = max(_LEAST_TOP_S, *(each or 0.0 for each in self._seconds), 0.0)
        label = f"seconds behind, up to {most:,.0f}: "
        bars = "".join(_bar(each, most) for each in self._seconds)
        room = max(options.max_width - len(label), 0)
        yield Text(f"{label}{bars[-room:] if room else ''}", no_wrap=True, overflow="crop")


def _bar(seconds: float | None, most: float) -> str:
    return " " if seconds is None else _BARS[int(seconds / most * (len(_BARS) - 1))]


def shown(found: Lag, sparkline: Sparkline | None = None) -> RenderableType:
    """Everything that a measurement tells, with how it was before where there is a sparkline."""
    parts: list[RenderableType] = [_headline(found)]
    if reason := words.why(found):
        parts.append(Text(f"{reason[0].upper()}{reason[1:]}.", "bold"))
    parts += [Text(f"{each.name}: {each.message}") for each in _to_tell(found)]
    if sparkline is not None:
        parts.append(sparkline)
    parts.append(_stages(found.stages))
    parts += [Text(each) for each in words.progress(found)]
    parts += [Text(each) for each in _alerts(found)]
    parts += [Text(each) for each in _workers(found)]
    if behind := [each for each in found.partitions if each.behind_records]:
        parts.append(_partitions(behind))
    return Group(*parts)


def _headline(found: Lag) -> Text:
    word, behind = words.headline(found)
    color = "green" if found.on_time else "red"
    return Text.assemble((word, f"bold {color}"), f": {behind}.")


def _to_tell(found: Lag) -> Iterator[Stage]:
    """The stages that say what is wrong and what to do, the one that holds up the others first."""
    first = words.culprit(found)
    rest = [each for each in found.stages if each is not first]
    yield from (each for each in [first, *rest] if each is not None and each.message)


def _stages(stages: Sequence[Stage]) -> Table:
    table = _narrowing("stage", "state", "seconds", "waits")
    for stage in stages:
        waits = ""
        if stage.behind_bytes is not None:
            waits = f"{decimal(stage.behind_bytes)} of WAL"
        elif stage.behind_records is not None:
            waits = words.number(stage.behind_records, "record")
        table.add_row(
            stage.name,
            Text(stage.state, _COLORS.get(stage.state, "red")),
            "?" if stage.behind_seconds is None else f"{stage.behind_seconds:,.1f}",
            waits,
        )
    return table


def _alerts(found: Lag) -> Iterator[str]:
    if not found.alerts:
        return
    yield "Open alerts:"
    for kind in found.alerts:
        yield f"  {kind}{_ago(found.alerts_since.get(kind))}: {remedy_of(kind).what.en}"


def _ago(since: datetime | None) -> str:
    if since is None:
        return ""
    seconds = max((datetime.now(UTC) - since).total_seconds(), 0.0)
    return f" for {words.duration(seconds)}"


def _workers(found: Lag) -> Iterator[str]:
    for worker in found.workers:
        partitions = ", ".join(map(str, worker.partitions)) or "none"
        yield f"Worker {worker.name} at {worker.host}: partitions {partitions}"
    if found.as_of:
        yield f"Decided is everything up to {found.as_of:%Y-%m-%d %H:%M:%S} UTC"


def _partitions(behind: Sequence[PartitionLag]) -> Table:
    """The partitions that are behind, the latest first."""
    table = _narrowing("partition", "seconds", "records", "next offset", "end")
    latest = sorted(behind, key=lambda each: -(each.behind_seconds or 0))
    for each in latest[:_MOST_PARTITIONS]:
        seconds = "?" if each.behind_seconds is None else f"{each.behind_seconds:,.1f}"
        numbers = (each.behind_records, each.next_offset, each.end_offset)
        table.add_row(str(each.partition), seconds, *(f"{number:,}" for number in numbers))
    if len(behind) > _MOST_PARTITIONS:
        table.add_row(f"{len(behind) - _MOST_PARTITIONS} more")
    return table


def _narrowing(*headings: str) -> Table:
    """A table that on a narrow terminal loses what is right, a row stays a line."""
    table = Table(*headings, box=None, padding=(0, 2, 0, 0))
    for place, column in enumerate(table.columns):
        column.no_wrap = True
        column.min_width = _WIDE_ENOUGH if place < _KEPT_COLUMNS else None
    return table
