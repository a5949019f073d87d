"""Criteria held against what an organization knows: names never seen, badges that lead nowhere."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Final

from badges.queries.vocabulary import Vocabulary
from tables.criteria.base import Criterion
from tables.criteria.fields import Mention, NameKind
from tables.documents import Violation, mismatch, nearest, shown
from tables.languages import Language, Text

_NEVER_SEEN: Final[Mapping[NameKind, Text]] = {
    "activity_type": Text(
        "{path}: no activity of type {name} was ever seen in this organization",
        "{path}: ingen aktivitet av typen {name} er noen gang sett i denne organisasjonen",
    ),
    "course": Text(
        "{path}: no completion of the course {name} was ever seen in this organization",
        "{path}: ingen fullføring av kurset {name} er noen gang sett i denne organisasjonen",
    ),
}
_MORE: Final = Text("{number} more names were never seen", "{number} navn til er aldri sett")
_KNOWN_KEY: Final = Text(
    "the key of a badge of this organization or of every organization",
    "nøkkelen til et merke som denne organisasjonen eller alle organisasjoner har",
)
_NO_CIRCLE: Final = Text(
    "a badge that does not ask for this one in turn", "et merke som ikke selv krever dette"
)
_CIRCLE: Final = Text("the circle {keys}", "sirkelen {keys}")
_MOST: Final = 20
"""So many names are spoken of one by one."""
_LONGEST: Final = 64
"""Longer names get no hint: comparing them with all others takes too long."""


def unseen_names(criteria: Criterion, vocabulary: Vocabulary, language: Language) -> list[str]:
    """A warning for each activity type and course that the organization has no row of."""
    unseen = [
        mention
        for mention in criteria.mentions()
        if mention.kind in _NEVER_SEEN and mention.name not in vocabulary.names[mention.kind]
    ]
    warnings = [_unseen(mention, vocabulary, language) for mention in unseen[:_MOST]]
    if len(unseen) > _MOST:
        warnings.append(_MORE(language, number=len(unseen) - _MOST))
    return warnings


def badge_violations(
    criteria: Criterion, vocabulary: Vocabulary, key: str | None, language: Language
) -> list[Violation]:
    """Badges that are not there, or that ask for the badge with this key in their turn."""
    found = []
    needs = cache(vocabulary.needs)
    for mention in criteria.mentions():
        if mention.kind != "badge":
            continue
        if key is not None and (way := _way(mention.name, key, needs)):
            circle = _CIRCLE(language, keys=" -> ".join([key, *way]))
            found.append(mismatch(mention.path, _NO_CIRCLE(language), circle, language))
        elif mention.name not in vocabulary.names["badge"]:
            hint = _hint(mention, vocabulary, language) if len(found) < _MOST else None
            known, name = _KNOWN_KEY(language), shown(mention.name)
            found.append(mismatch(mention.path, known, name, language, hint))
    return found


def _unseen(mention: Mention, vocabulary: Vocabulary, language: Language) -> str:
    said = _NEVER_SEEN[mention.kind](language, path=mention.path, name=shown(mention.name))
    hint = _hint(mention, vocabulary, language)
    return f"{said} ({hint})" if hint else said


def _hint(mention: Mention, vocabulary: Vocabulary, language: Language) -> str | None:
    if len(mention.name) > _LONGEST:
        return None
    return nearest(mention.name, sorted(vocabulary.names[mention.kind]), language)


def _way(start: str, goal: str, needs: Callable[[str], Iterable[str]]) -> list[str]:
    """A way from a badge along what each needs to the goal, empty if there is none."""
    ways = [[start]]
    seen = {start}
    while ways:
        way = ways.pop()
        if way[-1] == goal:
            return way
        for needed in needs(way[-1]):
            if needed not in seen:
                seen.add(needed)
                ways.append([*way, needed])
    return []
