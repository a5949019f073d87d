"""A figure, the table that shows figures, and the file that keeps them."""

import json
from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct
from rich.table import Table

from badges.demo import tally

KEPT = ("name", "value", "unit", "baseline", "ratio")
"""What build/bench.json says of a figure."""


class Target(Struct, frozen=True):
    """What a figure's value should be at least or at most, or its ratio if `of_ratio`."""

    at_least: float | None = None
    at_most: float | None = None
    of_ratio: bool = False

    def __str__(self) -> str:
        sign, limit = (">=", self.at_least) if self.at_least is not None else ("<=", self.at_most)
        return f"{'ratio ' if self.of_ratio else ''}{sign} {number(limit)}"


class Figure(Struct, frozen=True):
    """One measured number. `name` and `unit` are stable from version to version.

    `baseline` is what it is compared with, in the same unit and from the same run; `ratio` is value
    by baseline. `about` says in a few words what both are.
    """

    name: str
    value: float
    unit: str
    about: str
    baseline: float | None = None
    target: Target | None = None

    @property
    def ratio(self) -> float | None:
        """Value by baseline, None without one."""
        return self.value / self.baseline if self.baseline else None

    @property
    def met(self) -> bool | None:
        """Whether the target is met, None without one."""
        target = self.target
        measured = self.ratio if target and target.of_ratio else self.value
        if target is None or measured is None:
            return None
        if target.at_least is not None:
            return measured >= target.at_least
        return target.at_most is None or measured <= target.at_most


def percentile(seconds: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of seconds that were measured, in milliseconds."""
    return 1000 * tally.percentile(sorted(seconds), share)


def table(figures: Sequence[Figure]) -> Table:
    """All figures, with their targets and whether they are met."""
    shown = Table(title="Badge streams: figures of this run")
    for heading in ("figure", "value", "unit", "baseline", "ratio", "target", "", "about"):
        right = heading in ("value", "baseline", "ratio")
        shown.add_column(heading, justify="right" if right else "left", no_wrap=heading != "about")
    for figure in figures:
        shown.add_row(
            figure.name,
            number(figure.value),
            figure.unit,
            number(figure.baseline),
            number(figure.ratio),
            str(figure.target or ""),
            {True: "[green]met[/]", False: "[red]not met[/]", None: ""}[figure.met],
            figure.about,
        )
    return shown


def write(figures: Sequence[Figure], path: Path) -> None:
    """Write the figures as a JSON list of objects, one a figure."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = [{key: getattr(figure, key) for key in KEPT} for figure in figures]
    path.write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def number(value: float | None) -> str:
    """A number with three digits that matter, thousands set apart; nothing for None."""
    if value is None:
        return ""
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
