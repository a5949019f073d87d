"""Errors that a person can act on."""

FOUND_A_PROBLEM = 1
WRONG_USE = 2
ENDS = (".", "?", "!", ";")


class Problem(Exception):
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
        return f"{self.message}{'' if self.message.endswith(ENDS) else '.'} {self.hint}"
