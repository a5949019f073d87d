"""Errors a person can act on: one clear line, and the exit code of the contract."""

FOUND_A_PROBLEM = 1
WRONG_USE = 2


class Problem(Exception):
    """What is wrong, where, and what to do; the command line prints it and exits with `code`."""

    def __init__(self, message: str, *, code: int = WRONG_USE) -> None:
        super().__init__(message)
        self.code = code
