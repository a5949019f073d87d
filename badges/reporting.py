"""How a problem is told: one clear line, or JSON, and the exit code of the contract."""

import json
import sys

from streams.errors import Failure


def report(problem: Failure, *, as_json: bool = False) -> int:
    """Print the problem, as JSON where the result would be, and return its exit code."""
    if as_json:
        print(json.dumps({"error": problem.message, "hint": problem.hint}, ensure_ascii=False))
    else:
        print(f"badges: {problem}", file=sys.stderr)
    return problem.code


def unusable(error: OSError) -> Failure:
    """Return the problem that a file cannot be used; an error about no file is raised again."""
    if error.filename is None:
        raise error
    return Failure(f"{error.filename}: {error.strerror}")


def one_line(text: str) -> str:
    return " ".join(text.split())
