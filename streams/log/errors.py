"""What can be wrong with a log."""

from typing import Final, Literal

from sinks.alerts import BreakKind

TOLD: Final = "log_broken"
"""The kind of what another worker has found, and has raised the alert of."""


class GenerationClosed(Exception):
    """Another generation of the log is live: the worker has to begin again with that."""


class LogBroken(Exception):
    """The log contradicts itself: `kind` is the alert's, or TOLD; the text says what and where.

    Only one that is not `lasting` can mend.
    """

    lasting = True

    def __init__(self, kind: BreakKind | Literal["log_broken"], message: str) -> None:
        super().__init__(message)
        self.kind = kind
