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
_MOST_HINTS: Final = 5
"""Each is sought among all names, and while it is, the process does nothing else."""
_LONGEST: Final = 64
"""Longer names get no hint: comparing them with all others takes too long."""


def unseen_names(criteria: Criterion, vocabulary: Vocabulary, language: Language) -> list[str]:
    """A warning for each activity type and course that the organization has no row of."""
    unseen = [
        mention
        for mention in criteria.mentions()
        if mention.kind in _NEVER_SEEN and mention.name not in vocabulary.names[mention.kind]
    ]
    warnings = [
        _unseen(mention, vocabulary if number < _MOST_HINTS else None, language)
        for number, mention in enumerate(unseen[:_MOST])
    ]
    if len(unseen) > _MOST:
        warnings.append(_MORE(language, number=len(unseen) - _MOST))
    return warnings


def badge_violations(
    criteria: Criterion, vocabulary: Vocabulary, key: str | None, language: Language
) -> list[Violation]:
    """Badges that are not there, or that ask for the badge with this key in their turn."""
    found = []
    needs = cache(vocabulary.needs)
    barren: set[str] = set()
    for mention in criteria.mentions():
        if mention.kind != "badge":
            continue
        if key is not None and (way := _way(mention.name, key, needs, barren)):
            circle = _CIRCLE(language, keys=" -> ".join([key, *way]))
            found.append(mismatch(mention.path, _NO_CIRCLE(language), circle, language))
        elif mention.name not in vocabulary.names["badge"]:
            hint = _hint(mention, vocabulary, language) if len(found) < _MOST_HINTS else None
            known, name = _KNOWN_KEY(language), shown(mention.name)
            found.append(mismatch(mention.path, known, name, language, hint))
    return found


def _unseen(mention: Mention, vocabulary: Vocabulary | None, language: Language) -> str:
    """Without a vocabulary there is no hint."""
    said = _NEVER_SEEN[mention.kind](language, path=mention.path, name=shown(mention.name))
    hint = None if vocabulary is None else _hint(mention, vocabulary, language)
    return f"{said} ({hint})" if hint else said


def _hint(mention: Mention, vocabulary: Vocabulary, language: Language) -> str | None:
    if len(mention.name) > _LONGEST:
        return None
    return nearest(mention.name, sorted(vocabulary.names[mention.kind]), language)


def _way(
    start: str, goal: str, needs: Callable[[str], Iterable[str]], barren: set[str]
) -> list[str]:
    """A way from a badge along what each needs to the goal, empty if there is none.

    `barren` are those from which none leads there; all that are seen in vain are added.
    """
    before: dict[str, str | None] = {start: None}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        if here == goal:
            return _path(here, before)
        for needed in needs(here):
            if needed not in before and needed not in barren:
                before[needed] = here
                waiting.append(needed)
    barren.update(before)
    return []


def _path(end: str, before: Mapping[str, str | None]) -> list[str]:
    way: list[str] = []
    place: str | None = end
    while place is not None:
        way.append(place)
        place = before[place]
    return way[::-1]
