"""How far a replay is, on stderr: a bar on a terminal, else a line now and then."""

import sys
import time
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.progress import BarColumn, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

_EVERY_S = 5.0


class ReplayProgress:
    """Shown within a `with`; `read` says that so many records more were read."""

    def __init__(self, records: int) -> None:
        self._records = records
        self._done = 0
        self._began = self._told = time.monotonic()
        self._bar: Bar | None = None
        if sys.stderr.isatty():
            self._bar = Bar(
                TextColumn("replaying"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                transient=True,
            )
            self._task = self._bar.add_task("", total=records, rate="")

    def __enter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def read(self, records: int) -> None:
        self._done += records
        now = time.monotonic()
        rate = self._done / max(now - self._began, 0.001)
        if self._bar:
            self._bar.update(self._task, completed=self._done, rate=f"{rate:,.0f} records/s")
        elif now - self._told >= _EVERY_S:
            self._told = now
            left = max(0, self._records - self._done) / rate
            typer.echo(
                f"{self._done:,} of about {self._records:,} records read, {rate:,.0f} a second, "
                f"{left:,.0f} s left",
                err=True,
            )
