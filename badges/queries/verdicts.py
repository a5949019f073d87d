"""What there is to say of criteria before they are saved."""

from datetime import date

from msgspec import Struct

from sinks.pool import Connection
from tables.criteria.base import Criterion
from tables.criteria.errors import InvalidCriteria
from tables.criteria.parsing import parse
from tables.documents import Violation
from tables.languages import Language


class Verdict(Struct, frozen=True):
    """Whether criteria may be saved, all that is wrong with them, and what they ask for."""

    valid: bool
    errors: list[Violation]
    warnings: list[str]
    summary: str | None
    criteria: Criterion | None


async def judge(
    connection: Connection,  # noqa: ARG001
    text: bytes | str,
    language: Language,
    *,
    key: str | None = None,  # noqa: ARG001
    counts_from: date | None = None,  # noqa: ARG001
) -> Verdict:
    """Judge the criteria of the definition `key`, which counts rows from a date on."""
    try:
        criteria = parse(text)
    except InvalidCriteria as error:
        return Verdict(False, error.violations, [], None, None)
    return Verdict(True, [], criteria.warnings(language), criteria.summary(language), criteria)
