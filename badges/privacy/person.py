"""One person, by the ids that stand for them, and where a text names one of these."""

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sinks.base import DeadLetter

FORGOTTEN = "forgotten"
"""What stands where an id was."""

_SOMEBODY_ELSE = "another"

UUIDS = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
"""How an id looks in a text, for Postgres as well; in either case."""

_IDS = re.compile(UUIDS, re.IGNORECASE)
_STAFF = re.compile(r'"(?:awarded|revoked|changed)_by"\s*:\s*"[^"]*"')
"""Who dealt with somebody's award, in a record of it: the record is about that somebody."""
_SPECIAL = re.compile(r"(\W)")


def any_of(texts: Iterable[str]) -> str:
    """What matches one of these ids wherever it stands, or names as whole words, for Postgres."""
    return "|".join(map(_one, texts))


def _one(text: str) -> str:
    escaped = _SPECIAL.sub(r"\\\1", text)
    # In JSON a line's end is a letter behind a backslash.
    return escaped if _IDS.fullmatch(text) else rf"(?:(?<!\w)|(?<=\\[nrtbf])){escaped}(?!\w)"


@dataclass(frozen=True)
class Person:
    """A mentor's id, and the ids of their rows: activities, completions, pauses and awards.

    We know nobody's name; `names` are those that an application's own errors may have repeated.
    """

    mentor: str
    rows: frozenset[str] = frozenset()
    names: tuple[str, ...] = ()

    @property
    def ids(self) -> frozenset[str]:
        return self.rows | {self.mentor}

    @property
    def names_pattern(self) -> str | None:
        """What finds one of the names as whole words, for Postgres; None without a name."""
        return f"({any_of(self.names)})" if self.names else None

    def named_in(self, text: str) -> bool:
        return any(found.lower() in self.ids for found in _IDS.findall(text))

    def named_by(self, letter: DeadLetter) -> bool:
        """Whether a dead letter is about the person: its record, its row or its reason."""
        texts = ((letter.key or b"").decode(errors="replace"), letter.row_id or "", letter.reason)
        value = _STAFF.sub("", (letter.value or b"").decode(errors="replace"))
        return any(map(self.named_in, (*texts, value)))

    def without_others(self, text: str, everybodys: Collection[str]) -> str:
        """The text as this person may read it: ids that are neither theirs nor everybody's go."""

        def shown(found: re.Match[str]) -> str:
            known = found[0].lower()
            return found[0] if known in self.ids or known in everybodys else _SOMEBODY_ELSE

        return _IDS.sub(shown, text)
