"""How a failure is told: one clear line, or JSON, and the exit code of the contract."""

import json
import sys

from streams.errors import Failure


def report(failure: Failure, *, as_json: bool = False) -> int:
    """Print the failure, as JSON where the result would be, and return its exit code."""
    if as_json:
        print(json.dumps({"error": failure.message, "hint": failure.hint}, ensure_ascii=False))
    else:
        print(f"badges: {failure}", file=sys.stderr)
    return failure.code


def unusable(error: OSError) -> Failure:
    """Return the failure that a file cannot be used; an error about no file is raised again."""
    if error.filename is None:
        raise error
    return Failure(f"{error.filename}: {error.strerror}")


def one_line(text: str) -> str:
    return " ".join(text.split())
