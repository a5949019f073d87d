"""The errors of this package. `Failure` alone is for people; the others are for who calls."""

from typing import Final, Literal

from sinks.alerts import BreakKind

FOUND_A_PROBLEM = 1
WRONG_USE = 2
_ENDS = (".", "?", "!", ";")

TOLD: Final = "log_broken"
"""The kind of a break that another worker has found, and has raised the alert of."""

NEW_GENERATION = (
    "`badges resnapshot` makes a new generation of the log; nothing is decided until it is live."
)


class _StreamError(Exception):
    pass


class Failure(_StreamError):
    """What is wrong and where, and a `hint` that says what to do; `code` is the exit code.

    A message may hold its remedy itself, and then needs no hint.
    """

    def __init__(self, message: str, *, hint: str | None = None, code: int = WRONG_USE) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.code = code

    def __str__(self) -> str:
        if self.hint is None:
            return self.message
        return f"{self.message}{'' if self.message.endswith(_ENDS) else '.'} {self.hint}"


class LogBroken(_StreamError):
    """The log contradicts itself: `kind` is the alert's, or TOLD; `message` says what and where.

    Only one that is not `lasting` can mend; else the generation is lost. A `certain` one is
    believed at once, the others when several looks in a row have found them.
    """

    def __init__(
        self,
        kind: BreakKind | Literal["log_broken"],
        message: str,
        *,
        lasting: bool = True,
        certain: bool = False,
    ) -> None:
        super().__init__(f"{message}. {NEW_GENERATION}" if lasting else message)
        self.kind = kind
        self.message = message
        self.lasting = lasting
        self.certain = certain


class CannotTell(_StreamError):
    """Something that has to be asked does not answer, or a break was seen only once so far."""


class GenerationClosed(_StreamError):
    """Another generation of the log is live: the worker has to begin again with that."""


class SnapshotFailed(_StreamError):
    """The snapshot broke off or cannot be trusted: the generation is thrown away whole.

    `cause` is what the connector failed of, if that is why.
    """

    def __init__(self, message: str, cause: str | None = None) -> None:
        super().__init__(message)
        self.cause = cause


class ConnectAway(_StreamError):
    """Kafka Connect does not answer, or is still starting."""


class ConnectRefused(_StreamError):
    """Kafka Connect answered that it will not do that, and why."""


class NameTaken(_StreamError):
    """Another live worker has this one's name in the group, so they throw each other out."""
