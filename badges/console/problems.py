"""Errors a person can act on: one clear line, or JSON, and the exit code of the contract."""

import json
import sys
from collections.abc import Sequence

FOUND_A_PROBLEM = 1
WRONG_USE = 2
INTERRUPTED = 130
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


def report(problem: Problem, *, as_json: bool = False) -> int:
    """Print the problem, as JSON where the result would be, and return its exit code."""
    if as_json:
        print(json.dumps({"error": problem.message, "hint": problem.hint}, ensure_ascii=False))
    else:
        print(f"badges: {problem}", file=sys.stderr)
    return problem.code


def unusable(error: OSError) -> Problem:
    """Return the problem that a file cannot be used; an error about no file is raised again."""
    if error.filename is None:
        raise error
    return Problem(f"{error.filename}: {error.strerror}")


def wants_json(arguments: Sequence[str]) -> bool:
    """Say whether a command line asks for JSON, be it understood otherwise or not."""
    return "--json" in arguments


def one_line(text: str) -> str:
    """Return what a program said as one line."""
    return " ".join(text.split())
