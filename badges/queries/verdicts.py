"""Verdicts on criteria documents: all that is wrong with one, or what it asks for."""

from datetime import date
from typing import Any

import msgspec
from msgspec import Struct

from badges.queries.familiarity import badge_violations, unseen_names
from badges.queries.vocabulary import read_vocabulary
from sinks.pool import Connection
from tables.criteria.base import Criterion
from tables.criteria.errors import InvalidCriteria, violations_from
from tables.criteria.fields import MANY
from tables.criteria.parsing import parse
from tables.documents import Violation
from tables.languages import Language


class Verdict(Struct, frozen=True):
    """Whether a document may be saved, and what to tell whoever wrote it.

    Only what is valid has a `summary`. There are `criteria` also where what is wrong is not in the
    document, but between it and the definition or the organization that it is for.
    """

    valid: bool
    errors: list[Violation]
    warnings: list[str]
    summary: str | None
    criteria: Criterion | None

    @property
    def asks_organization(self) -> bool:
        """Whether what the organization knows could change it."""
        return self.criteria is not None and any(True for _ in self.criteria.mentions())

    def answer(self) -> dict[str, Any]:
        """As the API answers it and `badges criteria validate --json` prints it."""
        return {
            "valid": self.valid,
            "errors": msgspec.to_builtins(self.errors),
            "warnings": self.warnings,
            "summary": self.summary,
        }


def judge_alone(
    text: bytes | str, language: Language, *, counts_from: date | None = None
) -> Verdict:
    """What the document alone tells, with the date of the definition that it is meant for."""
    try:
        criteria = parse(text, language)
    except InvalidCriteria as error:
        return _verdict(None, error.violations, [], language)
    errors = [] if counts_from is None else violations_from(criteria, counts_from, language)
    return _verdict(criteria, errors, [], language)


async def judge(
    connection: Connection,
    text: bytes | str,
    language: Language,
    *,
    key: str | None = None,
    counts_from: date | None = None,
) -> Verdict:
    """What the document tells to whoever knows the organization that the connection acts for.

    `key` and `counts_from` are those of the definition that is to be saved with it.
    """
    alone = judge_alone(text, language, counts_from=counts_from)
    return await judge_further(connection, alone, language, key=key)


async def judge_further(
    connection: Connection, alone: Verdict, language: Language, *, key: str | None = None
) -> Verdict:
    """What the organization adds to the verdict on a document alone."""
    criteria = alone.criteria
    if criteria is None or not alone.asks_organization:
        return alone
    vocabulary = await read_vocabulary(connection, criteria)
    errors = [*alone.errors, *badge_violations(criteria, vocabulary, key, language)]
    return _verdict(criteria, errors, unseen_names(criteria, vocabulary, language), language)


def _verdict(
    criteria: Criterion | None, errors: list[Violation], unseen: list[str], language: Language
) -> Verdict:
    if criteria is None or errors:
        return Verdict(False, errors[:MANY], unseen, None, criteria)
    warnings = [*criteria.warnings(language), *unseen]
    return Verdict(True, errors, warnings, criteria.summary(language), criteria)
