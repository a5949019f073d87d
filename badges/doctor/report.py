"""What doctor found, as a table on a terminal and as a page of Markdown to be handed on."""

import platform
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from importlib.metadata import version
from itertools import groupby
from typing import get_args

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from badges.doctor.examination import Examination
from badges.doctor.lines import Area, Line, Status

_MARKS: dict[Status, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "warning": ("!", "yellow"),
    "failed": ("✗", "red"),
}
_UUID = re.compile(r"\b[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}\b")


def in_order(lines: Sequence[Line]) -> list[Line]:
    """The lines by area, each area's in the order in which they were asked."""
    return sorted(lines, key=lambda line: get_args(Area).index(line.area))


def shown(found: Examination) -> RenderableType:
    """The table for a terminal: a mark, the check, what it says, and below it what to do."""
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for area, lines in groupby(in_order(found.lines), key=lambda line: line.area):
        table.add_row("", Text(area, style="bold"), "")
        for line in lines:
            mark, color = _MARKS[line.result.status]
            text = Text(line.sentence)
            if line.result.status != "ok" and line.result.fix:
                text.append(f"\n→ {line.result.fix}", style="bold")
            status = "" if line.result.status == "ok" else f" {line.result.status}"
            table.add_row(Text(f"{mark}{status}", style=color), line.id, text)
    return Group(table, Text(""), *map(Text, summary(found)))


def summary(found: Examination) -> Iterator[str]:
    """How many lines there are of each kind, and what was not asked and why."""
    numbers = [
        f"{sum(line.result.status == status for line in found.lines)} {status}"
        for status in get_args(Status)
    ]
    yield f"{', '.join(numbers)}."
    waiting: dict[str, list[str]] = {}
    for check, waits_for in found.unasked.items():
        waiting.setdefault(waits_for, []).append(check)
    for waits_for, checks in waiting.items():
        yield f"Not asked before {waits_for} is ok: {', '.join(checks)}."


def page(found: Examination, at: datetime, place: str) -> str:
    """The record of one look, in Markdown, without secrets, ids and what others wrote.

    `place` names the database, `at` is when it was looked.
    """
    return "\n".join(_page(found, at, place)) + "\n"


def _page(found: Examination, at: datetime, place: str) -> Iterator[str]:
    yield "# Badge streams: integration checkpoint"
    yield ""
    yield f"- looked at: {at:%Y-%m-%d %H:%M:%S} UTC"
    yield f"- database: {place}"
    yield f"- badge-streams {version('badge-streams')}, Python {platform.python_version()}"
    yield f"- result: {'ok' if found.ok else 'failed'}"
    for sentence in summary(found):
        yield f"- {_plain(sentence)}"
    for area, lines in groupby(in_order(found.lines), key=lambda line: line.area):
        yield from ("", f"## {area}", "", "| check | status | subject | found | what mends it |")
        yield "|---|---|---|---|---|"
        for line in lines:
            told = line.result
            fix = f"`{_plain(told.fix)}`" if told.fix and told.status != "ok" else ""
            cells = (line.id, told.status, _plain(told.subject), _plain(told.message), fix)
            yield f"| {' | '.join(cells)} |"


def _plain(text: str) -> str:
    """A cell of a table: one line, and nobody's id."""
    return " ".join(_UUID.sub("(id)", text).split()).replace("|", "\\|").replace("`", "'")
