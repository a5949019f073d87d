"""JSON documents read strictly: what a lenient reader would swallow is a problem with its path."""

import json
import re
from collections import Counter
from difflib import get_close_matches
from typing import Any, Final

from msgspec import Struct


class Violation(Struct, frozen=True):
    """One thing wrong with a document: where ($.of[1].at_least), what was expected, what to try."""

    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}: {self.message}{hint}"


TOO_DEEP: Final = Violation("$", "expected a JSON document, found one nested too deep")


class _Object(dict[str, Any]):
    """A JSON object that remembers which keys were written twice."""

    repeated: frozenset[str] = frozenset()


class _Constant(str):
    """NaN, Infinity or -Infinity: words that JSON does not have."""

    __slots__ = ()


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        times = Counter(key for key, _ in pairs)
        result.repeated = frozenset(key for key, number in times.items() if number > 1)
    return result


def read(text: str | bytes, most: int | None = None) -> tuple[Any, list[Violation]]:
    """Decode a JSON document and say what is wrong with it as JSON.

    The document is None when it is no JSON at all, or takes more than `most` characters to write
    plainly: without escapes, and with a blank after each comma and colon, as Postgres writes it.
    Takes time in proportion to the text. Never raises.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        document = json.loads(text, object_pairs_hook=_object, parse_constant=_Constant)
        length = 0 if most is None else len(json.dumps(document, ensure_ascii=False))
        if most is not None and length > most:
            message = f"expected a document of at most {most:,} characters, found {length:,}"
            return None, [Violation("$", message)]
        violations: list[Violation] = []
        _inspect(document, "$", violations)
    except UnicodeDecodeError as error:
        return None, [Violation("$", f"expected UTF-8 text, found other bytes at {error.start}")]
    except json.JSONDecodeError as error:
        place = f"line {error.lineno}, column {error.colno}"
        return None, [Violation("$", f"expected a JSON document, but {place}: {error.msg}")]
    except RecursionError:
        return None, [TOO_DEEP]
    except ValueError:
        return None, [Violation("$", "expected a JSON document, found a number too long to read")]
    return document, violations


def _inspect(value: object, path: str, violations: list[Violation]) -> None:
    if isinstance(value, _Constant):
        violations.append(Violation(path, f"expected a JSON value, found {value!s}"))
    elif isinstance(value, str):
        _inspect_text(value, path, violations)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _inspect(item, f"{path}[{index}]", violations)
    elif isinstance(value, _Object):
        for key, item in value.items():
            place = member(path, key)
            _inspect_text(key, place, violations)
            if key in value.repeated:
                violations.append(Violation(place, "expected each key once, found it again"))
            _inspect(item, place, violations)


def _inspect_text(text: str, path: str, violations: list[Violation]) -> None:
    if "\0" in text:
        violations.append(
            Violation(path, "expected text without \\u0000, which Postgres cannot keep")
        )
    if any("\ud800" <= character <= "\udfff" for character in text):
        violations.append(Violation(path, "expected text, found half of a surrogate pair"))


def member(path: str, key: str) -> str:
    """The path of an object's member: $.key, or $["another key"] where it is no plain word."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
        return f"{path}.{key}"
    return f"{path}[{json.dumps(key)}]"


def shown(value: object) -> str:
    """A JSON value as a message shows it, short."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest(name: object, known: list[str]) -> str | None:
    """A hint that names the known name closest to this one, if one is close."""
    if not isinstance(name, str):
        return None
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return f"did you mean {shown(close[0])}?" if close else None
