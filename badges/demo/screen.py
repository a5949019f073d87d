"""The demo as a live screen: what is saved on the left, what it unlocks on the right."""

import io
import re
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.terminal_theme import DIMMED_MONOKAI
from rich.text import Text

from badges.demo.tally import Tally
from badges.demo.telling import Show, ToldUnlock
from badges.demo.world import Moment

WIDTH, HEIGHT = 124, 32
"""Characters of a picture of the screen."""
_FONTS = "ui-monospace, Menlo, Consolas, 'DejaVu Sans Mono', monospace"
QUIET, WARM, COOL, GOOD = "grey58", "gold3", "steel_blue1", "sea_green2"
_BLOCKS = " ▁▂▃▄▅▆▇█"
_BUCKETS = (10, 15, 20, 25, 30, 40, 50, 75, 100, 150, 250)
"""Upper bounds of the histogram's bars, in milliseconds; a last bar is for all above."""

_WAY = "Postgres → Debezium → Kafka → Faust → Postgres"
_REFRESH_HZ = 8
_MOST_LINES = 24


class Screen(Show):
    """A full-height panel that is redrawn in place."""

    def __init__(self, console: Console, title: str) -> None:
        self._console = console
        self._title = title
        self._note = ""
        self._moments: deque[RenderableType] = deque(maxlen=_MOST_LINES)
        self._unlocks: deque[tuple[ToldUnlock, int]] = deque(maxlen=_MOST_LINES)
        self._tally = Tally()
        self.live = Live(
            console=console,
            get_renderable=self.render,
            refresh_per_second=_REFRESH_HZ,
            transient=False,
        )

    def note(self, text: str) -> None:
        self._note = text

    def moment(self, moment: Moment, place: str) -> None:
        who = moment.person.name if moment.person else "Everybody"
        text = Text(no_wrap=True, overflow="ellipsis")
        text.append(f"{datetime.now():%H:%M:%S} ", QUIET)
        text.append(f" {who} ", "bold")
        if moment.kind != "new":
            text.append(f"{moment.kind}: ", COOL)
        text.append(moment.text)
        text.append(f", {place}" if place else "", QUIET)
        self._moments.appendleft(text)

    def unlock(self, line: ToldUnlock) -> None:
        """A line on the right; one for all whom a new badge reaches."""
        if line.source == "replay" and self._unlocks:
            last, count = self._unlocks[0]
            if (last.source, last.badge) == (line.source, line.badge):
                self._unlocks[0] = (last, count + 1)
                return
        self._unlocks.appendleft((line, 1))

    def figures(self, tally: Tally) -> None:
        self._tally = tally

    def render(self) -> RenderableType:
        rows = max(6, min(self._console.height - 12, _MOST_LINES))
        middle = Table.grid(expand=True)
        middle.add_column(ratio=1)
        middle.add_column(ratio=1)
        unlocks = [_unlocked(line, count) for line, count in self._unlocks]
        middle.add_row(_panel("Saved", self._moments, rows), _panel("Unlocked", unlocks, rows))
        return Group(self._headline(), middle, self._figures())

    def _headline(self) -> RenderableType:
        line = Table.grid(expand=True)
        line.add_column()
        line.add_column(justify="right")
        line.add_row(Text(f" {self._title}", f"bold {WARM}"), Text(f"{_WAY} ", QUIET))
        line.add_row(Text(f" {self._note}", QUIET), "")
        return line

    def _figures(self) -> RenderableType:
        tally = self._tally
        grid = Table.grid(expand=True, padding=(0, 2))
        for _ in range(3):
            grid.add_column(ratio=1)
        grid.add_column(justify="right", ratio=1)
        median = f"{tally.latency(0.5):.0f} ms" if tally.latencies else "…"
        grid.add_row(
            _figure("saves", str(tally.saves)),
            _figure("unlocks", str(tally.unlocks.total())),
            _figure("commit to award, median", median),
            Group(Text(histogram(tally.latencies), GOOD), Text("10 ms … 250 ms", QUIET)),
        )
        return Panel(grid, border_style=QUIET)


def draw(screen: RenderableType, file: Path) -> None:
    """Write an SVG picture of what a screen shows; its fonts are those of whoever looks at it."""
    console = Console(record=True, width=WIDTH, height=HEIGHT, file=io.StringIO())
    console.print(screen)
    svg = console.export_svg(title="badges demo", theme=DIMMED_MONOKAI)
    svg = re.sub(r"@font-face {.*?}\s*", "", svg, flags=re.DOTALL)
    file.write_text(svg.replace("Fira Code, monospace", _FONTS), encoding="utf-8")


def histogram(latencies: Sequence[float]) -> str:
    """How often which latency was measured, as a row of bars."""
    counts = [0] * (len(_BUCKETS) + 1)
    for latency in latencies:
        counts[sum(latency > bound for bound in _BUCKETS)] += 1
    most = max(counts)
    steps = len(_BLOCKS) - 1
    return "".join(_BLOCKS[-(-count * steps // most) if most else 0] for count in counts)


def _figure(name: str, value: str) -> RenderableType:
    return Group(Text(value, "bold"), Text(name, QUIET))


def _panel(title: str, lines: Iterable[RenderableType], rows: int) -> Panel:
    shown = Group(*islice(lines, rows))
    name = f"[{QUIET}]{title}[/]"
    return Panel(shown, title=name, title_align="left", border_style=QUIET, height=rows + 2)


def _unlocked(line: ToldUnlock, count: int) -> Text:
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(f"{line.icon} ")
    text.append(f"{count} mentors" if count > 1 else line.who, "bold")
    lost = line.verb == "lost"
    text.append(f" {line.verb} ", QUIET)
    text.append(line.title, "default" if lost else WARM)
    if line.latency is not None:
        text.append(f"  {line.latency:.0f} ms", GOOD)
    elif line.source != "stream":
        text.append("  by hand" if line.source == "admin" else "  new badge", COOL)
    return text
