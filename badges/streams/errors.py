"""What can be wrong with a log."""


class GenerationClosed(Exception):
    """Another generation of the log is live: the worker has to begin again with that."""


class LogBroken(Exception):
    """The log contradicts itself: `kind` is the alert's, the text says what was read where.

    `told` is set where another worker found it, and has raised the alert.
    """

    told = False

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind
