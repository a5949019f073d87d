"""Saving badge definitions: one at a time in an organization, and none that is not valid."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

import asyncpg
import msgspec
from asyncpg import Record
from msgspec import Struct

from badges.api.definition_body import CriteriaNoJson, DefinitionBody, read_definition
from badges.api.definitions import Said, find, read_criteria
from badges.api.problem import ProblemError
from badges.api.writing import write
from badges.queries.verdicts import judge
from sinks.pool import Connection
from tables.criteria.base import Criterion
from tables.criteria.errors import InvalidCriteria
from tables.documents import Violation
from tables.languages import Language

# Two that are saved at once could each be right by itself, and close a cycle together.
_ONE_AT_A_TIME: Final = """
    SELECT pg_advisory_xact_lock(hashtextextended(
        'badge_definitions of ' || badges_private.claimed_organization()::text, 0))
"""

_NAMESAKE: Final = """
    SELECT id FROM badge_definitions
    WHERE organization_id = badges_private.claimed_organization() AND key = $1
"""

_ASKING: Final = """
    SELECT key, criteria::text AS criteria FROM badge_definitions
    WHERE organization_id = badges_private.claimed_organization() AND id <> $1
        AND status <> 'retired' ORDER BY key
"""

_LOCK: Final = """
    SELECT FROM badge_definitions
    WHERE id = $1 AND organization_id = badges_private.claimed_organization() FOR NO KEY UPDATE
"""

_INSERT: Final = """
    INSERT INTO badge_definitions (id, organization_id, key, name, description, icon, criteria,
                                   counts_from, revocable, status)
    VALUES ($1, badges_private.claimed_organization(), $2, $3, $4, $5, $6::text::jsonb, $7, $8, $9)
"""

_UPDATE: Final = """
    UPDATE badge_definitions SET key = $2, name = $3, description = $4, icon = $5,
        criteria = $6::text::jsonb, counts_from = $7, revocable = $8, status = $9
    WHERE id = $1 AND organization_id = badges_private.claimed_organization()
"""

_RETIRE: Final = """
    UPDATE badge_definitions SET status = 'retired'
    WHERE id = $1 AND organization_id = badges_private.claimed_organization()
"""


class Judged(Struct, frozen=True):
    """A definition that may be saved, and what there is to say of its criteria."""

    body: DefinitionBody
    text: str
    criteria: Criterion
    said: Said


async def take_turn(connection: Connection) -> None:
    """Wait until nobody else saves a definition of the organization, to the transaction's end."""
    await connection.execute(_ONE_AT_A_TIME)


async def hold(connection: Connection, definition_id: UUID) -> Record:
    """A definition of the organization, which nobody else changes before the transaction ends.

    Raises ProblemError: 404 without one, 403 for every organization's.
    """
    found = await find(connection, definition_id)
    if found["organization_id"] is None:
        raise ProblemError(
            HTTPStatus.FORBIDDEN,
            "This badge definition is every organization's, and can only be read here: "
            "save one of your own",
        )
    await take_turn(connection)
    await connection.execute(_LOCK, definition_id)
    return await find(connection, definition_id)


async def judged(connection: Connection, body: bytes, language: Language) -> Judged:
    """Read a definition that was sent, and judge its criteria.

    Raises RequestValidationError, and ProblemError, 422, with all that is wrong with the criteria.
    """
    try:
        sent = read_definition(body)
    except CriteriaNoJson as error:
        raise _invalid(error.violations) from None
    verdict = await judge(
        connection,
        sent.criteria,
        language,
        key=sent.body.key,
        counts_from=sent.body.counts_from,
    )
    if verdict.criteria is None or not verdict.valid:
        raise _invalid(verdict.errors)
    said = Said(verdict.warnings, verdict.summary)
    return Judged(sent.body, sent.criteria, verdict.criteria, said)


async def insert(connection: Connection, definition_id: UUID, new: Judged) -> None:
    """Save a new definition. Raises ProblemError, 409, where its key is another one's."""
    await _check_key(connection, new.body.key)
    try:
        await write(connection, _INSERT, definition_id, *_values(new, "draft"))
    except asyncpg.UniqueViolationError:
        raise _key_taken(new.body.key) from None


async def update(connection: Connection, old: Record, new: Judged) -> None:
    """Save a definition in place of the one that is held.

    Raises ProblemError, 409, where the key is another one's, or the one before is asked for.
    """
    if new.body.key != old["key"]:
        await _check_key(connection, new.body.key)
        await _check_unasked(connection, old, new)
    try:
        await write(connection, _UPDATE, old["id"], *_values(new, old["status"]))
    except asyncpg.UniqueViolationError:
        raise _key_taken(new.body.key) from None


async def retire(connection: Connection, definition_id: UUID) -> None:
    """Retire a definition that is held; one that is retired stays as it is."""
    await write(connection, _RETIRE, definition_id)


def _values(new: Judged, status: str) -> list[object]:
    body = new.body
    return [
        *(body.key, body.name, body.description, body.icon, new.text),
        *(body.counts_from, body.revocable, body.status or status),
    ]


async def _check_key(connection: Connection, key: str) -> None:
    namesake = await connection.fetchval(_NAMESAKE, key)
    if namesake is not None:
        raise _key_taken(key, namesake)


def _key_taken(key: str, namesake: UUID | None = None) -> ProblemError:
    whose = "another badge definition" if namesake is None else f"the badge definition {namesake}"
    return ProblemError(
        HTTPStatus.CONFLICT,
        f"The key {key} is that of {whose}: change that one, or choose another key",
        badge_definition_id=None if namesake is None else str(namesake),
    )


async def _check_unasked(connection: Connection, old: Record, new: Judged) -> None:
    """Refuse another key while criteria ask for the one before: they would ask for nothing."""
    asking = [
        row["key"]
        for row in await connection.fetch(_ASKING, old["id"])
        if _asks(read_criteria(row["criteria"]), old["key"])
    ]
    if _asks(new.criteria, old["key"]):
        asking.append(new.body.key)
    if asking:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            f"The key {old['key']} cannot change while criteria ask for it, those of "
            f"{', '.join(asking[:10])}: change these first",
        )


def _asks(criteria: Criterion | InvalidCriteria, key: str) -> bool:
    return isinstance(criteria, Criterion) and key in criteria.badge_keys()


def _invalid(violations: list[Violation]) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "The criteria are not valid: errors says where, by paths within the criteria",
        errors=msgspec.to_builtins(violations),
    )
