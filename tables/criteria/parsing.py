"""Criteria documents: parsed and checked on every way in."""

from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from tables.criteria.base import Criterion, Root
from tables.criteria.errors import InvalidCriteria, violations
from tables.criteria.fields import MANY
from tables.criteria.union import TYPES
from tables.documents import NOTHING, Violation, mismatch, read, shown, too_deep
from tables.languages import Language, Text

_MAX_DEPTH: Final = 4
_MAX_NODES: Final = 32
MAX_TEXT: Final = 128 * 1024
"""The characters of a document written plainly: room for 500 courses with the longest names."""

_OBJECT: Final = Text("an object", "et objekt")
_TOO_DEEP: Final = Text(
    "expected at most {most} levels of criteria, found another",
    "forventet høyst {most} nivåer med kriterier, fant ett til",
)
_TOO_MANY: Final = Text(
    "expected at most {most} criteria, found more", "forventet høyst {most} kriterier, fant flere"
)

_ROOT: Final[TypeAdapter[Criterion]] = TypeAdapter(Root)


def parse(text: str | bytes, language: Language = "en") -> Criterion:
    """Read a criteria document (contract: Criteria).

    Raises InvalidCriteria with everything that is wrong with it; of thousands, with the first.
    """
    try:
        found = _parse(text, language)
    except RecursionError:
        found = [too_deep(language)]
    if isinstance(found, list):
        raise InvalidCriteria(found[:MANY])
    return found


def parse_saved(text: str) -> Criterion | None:
    """Criteria as a definition has them; None where they are not valid.

    Whoever writes by SQL may have saved anything.
    """
    try:
        return parse(text)
    except InvalidCriteria:
        return None


def _parse(text: str | bytes, language: Language) -> Criterion | list[Violation]:
    document, wrong = read(text, MAX_TEXT, language)
    if document is None and wrong:
        return wrong
    if not isinstance(document, dict):
        return [mismatch("$", _OBJECT(language), shown(document), language)]
    wrong += _version(document, language)
    if too_large := _size(document, language):
        # What is within is not looked at: that could take long.
        return wrong + too_large
    criteria = {key: value for key, value in document.items() if key != "version"}
    try:
        parsed = _ROOT.validate_python(criteria, context=TYPES)
    except ValidationError as error:
        said = {each.path for each in wrong}
        found = violations(error, document, TYPES, MANY, language)
        return wrong + [each for each in found if each.path not in said]
    return wrong or parsed


def _version(document: dict[str, Any], language: Language) -> list[Violation]:
    version = document.get("version")
    if type(version) is int and version == 1:
        return []
    found = shown(version) if "version" in document else NOTHING(language)
    return [mismatch("$.version", "1", found, language)]


def _size(document: dict[str, Any], language: Language) -> list[Violation]:
    """Limits of depth and of nodes; a node is a criteria object, the root included."""
    nodes, level, depth = 0, [("$", document)], 0
    while level:
        depth += 1
        nodes += len(level)
        if depth > _MAX_DEPTH:
            return [Violation(level[0][0], _TOO_DEEP(language, most=_MAX_DEPTH))]
        if nodes > _MAX_NODES:
            return [Violation("$", _TOO_MANY(language, most=_MAX_NODES))]
        level = [
            (f"{path}.of[{index}]", part)
            for path, node in level
            if isinstance(node.get("of"), list)
            for index, part in enumerate(node["of"])
            if isinstance(part, dict)
        ]
    return []
