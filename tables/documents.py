"""JSON documents read strictly: what a lenient reader would swallow is a problem with its path."""

import json
import re
from collections import Counter
from collections.abc import Iterable
from difflib import get_close_matches
from math import isinf
from typing import Any, Final

from msgspec import Struct

from tables.languages import Language, Text, number


class Violation(Struct, frozen=True):
    """One thing wrong with a document: where ($.of[1].at_least), what was expected, what to try."""

    path: str
    message: str
    hint: str | None = None

    def __str__(self) -> str:
        hint = f" ({self.hint})" if self.hint else ""
        return f"{self.path}: {self.message}{hint}"


MISMATCH: Final = Text("expected {expected}, found {found}", "forventet {expected}, fant {found}")
NOTHING: Final = Text("nothing", "ingenting")
_DOCUMENT: Final = Text("a JSON document", "et JSON-dokument")
_TOO_DEEP: Final = Text("one nested too deep", "et som er nøstet for dypt")
_TOO_LONG_NUMBER: Final = Text("a number too long to read", "et tall som er for langt til å leses")
_NO_JSON: Final = Text(
    "expected a JSON document, but line {line}, column {column}: {why}",
    "forventet et JSON-dokument, men linje {line}, kolonne {column}: {why}",
)
_NO_UTF8: Final = Text(
    "expected UTF-8 text, found other bytes at {at}",
    "forventet UTF-8-tekst, fant andre byte ved {at}",
)
_SHORTER: Final = Text(
    "a document of at most {most} characters", "et dokument på høyst {most} tegn"
)
_VALUE: Final = Text("a JSON value", "en JSON-verdi")
_BOUNDED: Final = Text("a number between -1e308 and 1e308", "et tall mellom -1e308 og 1e308")
_BEYOND: Final = Text("one beyond", "et utenfor")
_NOT_TINY: Final = Text("0 or a number beyond 1e-307", "0 eller et tall utenfor 1e-307")
_TINY: Final = Text("one nearer to 0", "et som er nærmere 0")
_ONCE: Final = Text(
    "expected each key once, found it again", "forventet hver nøkkel én gang, fant den igjen"
)
_NO_NUL: Final = Text(
    "expected text without \\u0000, which Postgres cannot keep",
    "forventet tekst uten \\u0000, som Postgres ikke kan lagre",
)
_SURROGATE: Final = Text(
    "expected text, found half of a surrogate pair",
    "forventet tekst, fant halvparten av et surrogatpar",
)
_DID_YOU_MEAN: Final = Text("did you mean {name}?", "mente du {name}?")


_LEAST: Final = 2.0**-1022
"""Nearer to 0 floats lose their digits."""


class _Object(dict[str, Any]):
    """A JSON object that remembers which keys were written twice."""

    repeated: frozenset[str] = frozenset()


class _Constant(str):
    """NaN, Infinity or -Infinity: words that JSON does not have."""

    __slots__ = ()


class _Tiny(float):
    """A number too near to 0 for 64 bits: Postgres keeps all its zeros."""

    __slots__ = ()


def _float(text: str) -> float:
    value = float(text)
    is_zero = value == 0 and not re.search("[1-9]", re.split("[eE]", text)[0])
    return value if is_zero or abs(value) >= _LEAST else _Tiny(value)


def _object(pairs: list[tuple[str, Any]]) -> _Object:
    result = _Object(pairs)
    if len(result) < len(pairs):
        times = Counter(key for key, _ in pairs)
        result.repeated = frozenset(key for key, number in times.items() if number > 1)
    return result


def read(
    text: str | bytes, most: int | None = None, language: Language = "en"
) -> tuple[Any, list[Violation]]:
    """Decode a JSON document and say what is wrong with it as JSON.

    The document is None when it is no JSON at all, or takes more than `most` characters to write
    plainly: without escapes, and with a blank after each comma and colon, as Postgres writes it.
    Takes time in proportion to the text. Never raises.
    """
    try:
        if isinstance(text, bytes):
            text = text.decode()
        document = json.loads(
            text, object_pairs_hook=_object, parse_constant=_Constant, parse_float=_float
        )
        length = 0 if most is None else len(json.dumps(document, ensure_ascii=False))
        if most is not None and length > most:
            expected = _SHORTER(language, most=number(most, language))
            return None, [mismatch("$", expected, number(length, language), language)]
        violations: list[Violation] = []
        _inspect(document, "$", violations, language)
    except UnicodeDecodeError as error:
        return None, [Violation("$", _NO_UTF8(language, at=error.start))]
    except json.JSONDecodeError as error:
        message = _NO_JSON(language, line=error.lineno, column=error.colno, why=error.msg)
        return None, [Violation("$", message)]
    except RecursionError:
        return None, [too_deep(language)]
    except ValueError:
        found = _TOO_LONG_NUMBER(language)
        return None, [mismatch("$", _DOCUMENT(language), found, language)]
    return document, violations


def too_deep(language: Language) -> Violation:
    """What is wrong with a document that cannot be gone through for its depth."""
    return mismatch("$", _DOCUMENT(language), _TOO_DEEP(language), language)


def mismatch(
    path: str, expected: str, found: str, language: Language, hint: str | None = None
) -> Violation:
    """One thing wrong that is said by what belongs there and what is there."""
    return Violation(path, MISMATCH(language, expected=expected, found=found), hint)


def _inspect(value: object, path: str, violations: list[Violation], language: Language) -> None:
    if isinstance(value, _Constant):
        violations.append(mismatch(path, _VALUE(language), str(value), language))
    elif isinstance(value, _Tiny):
        violations.append(mismatch(path, _NOT_TINY(language), _TINY(language), language))
    elif isinstance(value, float) and isinf(value):
        violations.append(mismatch(path, _BOUNDED(language), _BEYOND(language), language))
    elif isinstance(value, str):
        _inspect_text(value, path, violations, language)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _inspect(item, f"{path}[{index}]", violations, language)
    elif isinstance(value, _Object):
        for key, item in value.items():
            place = member(path, key)
            _inspect_text(key, place, violations, language)
            if key in value.repeated:
                violations.append(Violation(place, _ONCE(language)))
            _inspect(item, place, violations, language)


def _inspect_text(text: str, path: str, violations: list[Violation], language: Language) -> None:
    if "\0" in text:
        violations.append(Violation(path, _NO_NUL(language)))
    if has_lone_surrogate(text):
        violations.append(Violation(path, _SURROGATE(language)))


def has_lone_surrogate(text: str) -> bool:
    """Whether half of a surrogate pair is in it, which no encoding of Unicode has."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def member(path: str, key: str) -> str:
    """The path of an object's member: $.key, or $["another key"] where it is no plain word."""
    if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", key):
        return f"{path}.{key}"
    return f"{path}[{json.dumps(key)}]"


def shown(value: object) -> str:
    """A JSON value as a message shows it, short."""
    text = json.dumps(value, ensure_ascii=True, default=str)
    return text if len(text) <= 60 else f"{text[:57]}..."


def nearest_name(name: object, known: Iterable[str]) -> str | None:
    """The known name closest to this one, if one is close."""
    if not isinstance(name, str):
        return None
    close = get_close_matches(name, known, n=1, cutoff=0.6)
    return close[0] if close else None


def nearest(name: object, known: Iterable[str], language: Language = "en") -> str | None:
    """A hint that names the known name closest to this one, if one is close."""
    near = nearest_name(name, known)
    return None if near is None else _DID_YOU_MEAN(language, name=shown(near))
