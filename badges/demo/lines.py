"""The demo as plain lines, for logs and pipes."""

from collections.abc import Callable
from datetime import datetime

from badges.demo.tally import Tally
from badges.demo.telling import Line
from badges.demo.world import Moment


class Lines:
    """One line for everything that happens, as it happens."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write = write

    def note(self, text: str) -> None:
        self._write(text)

    def moment(self, moment: Moment, place: str) -> None:
        who = f"{moment.person.name} ({place})" if moment.person else "all organizations"
        self._write(f"{_clock()}  {moment.kind:<11}  {who}: {moment.text}")

    def unlock(self, line: Line) -> None:
        fast = f"  +{line.latency:.0f} ms" if line.latency is not None else ""
        self._write(
            f"{_clock(line.at)}  {'':<11}  {line.icon} {line.who} {line.verb} {line.title}{fast}"
        )

    def figures(self, tally: Tally) -> None: ...


def _clock(at: datetime | None = None) -> str:
    return f"{at or datetime.now():%H:%M:%S.%f}"[:-3]
