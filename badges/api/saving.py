"""Saving badge definitions: one at a time in an organization, and none that is not valid."""

from http import HTTPStatus
from typing import Final
from uuid import UUID

import asyncpg
from asyncpg import Record

from badges.api.bodies import Sent, read_body
from badges.api.definition_body import ANSWERED, DefinitionBody
from badges.api.definitions import find
from badges.api.problem import ProblemError, invalid_criteria
from badges.api.writing import write
from badges.queries.definition_lock import lock_definitions
from badges.queries.tenancy import is_own
from badges.queries.verdicts import Verdict, judge
from sinks.pool import Connection
from tables.criteria.parsing import MAX_TEXT, parse_saved
from tables.languages import Language

_NAMESAKE: Final = f"SELECT id FROM badge_definitions d WHERE {is_own('d')} AND key = $1"

_ASKING: Final = f"""
    SELECT key, criteria::text AS criteria FROM badge_definitions d
    WHERE {is_own("d")} AND id <> $1 AND status IS DISTINCT FROM 'retired' ORDER BY key
"""

_OWN: Final = f"id = $1 AND {is_own('badge_definitions')}"

_LOCK: Final = f"SELECT FROM badge_definitions WHERE {_OWN} FOR NO KEY UPDATE"

_INSERT: Final = """
    INSERT INTO badge_definitions (id, organization_id, name, description, icon, criteria,
                                   counts_from, revocable, status, key)
    VALUES ($1, badges_private.claimed_organization(), $2, $3, $4, $5::text::jsonb, $6, $7, $8, $9)
"""

_CONTENT: Final = """
    name = $2, description = $3, icon = $4, criteria = $5::text::jsonb, counts_from = $6,
    revocable = $7, status = $8
"""

_UPDATE: Final = f"UPDATE badge_definitions SET {_CONTENT} WHERE {_OWN}"

# Where there are triggers, a row is locked by the columns that a statement sets, changed or not. By
# its key it is held by whoever awards the badge.
_UPDATE_WITH_KEY: Final = f"UPDATE badge_definitions SET {_CONTENT}, key = $9 WHERE {_OWN}"

_RETIRE: Final = f"UPDATE badge_definitions SET status = 'retired' WHERE {_OWN}"


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
    await lock_definitions(connection, found["organization_id"])
    await connection.execute(_LOCK, definition_id)
    return await find(connection, definition_id)


async def judged(
    connection: Connection, body: bytes, language: Language
) -> tuple[Sent[DefinitionBody], Verdict]:
    """Read a definition that was sent, and judge its criteria: both, where it may be saved.

    Raises RequestValidationError, and ProblemError, 422, with all that is wrong with the criteria.
    """
    sent = read_body(body, DefinitionBody, language, ignored=ANSWERED)
    verdict = await judge(
        connection,
        sent.criteria,
        language,
        key=sent.body.key,
        counts_from=sent.body.counts_from,
    )
    if not verdict.valid:
        raise invalid_criteria(verdict.errors)
    return sent, verdict


async def insert(connection: Connection, definition_id: UUID, new: Sent[DefinitionBody]) -> Record:
    """Save a new definition; its row. Raises ProblemError, 409, where its key is another one's."""
    await _check_key(connection, new.body.key)
    try:
        await write(connection, _INSERT, definition_id, *_values(new, "draft"), new.body.key)
    except asyncpg.UniqueViolationError:
        raise _key_taken(new.body.key) from None
    return await _written(connection, definition_id)


async def update(connection: Connection, old: Record, new: Sent[DefinitionBody]) -> Record:
    """Save a definition in place of the one that is held; its row.

    Raises ProblemError, 409, where the key is another one's, or the one before is asked for.
    """
    statement, values = _UPDATE, _values(new, old["status"])
    if new.body.key != old["key"]:
        await _check_key(connection, new.body.key)
        await _check_unasked(connection, old, new)
        statement = _UPDATE_WITH_KEY
        values.append(new.body.key)
    try:
        await write(connection, statement, old["id"], *values)
    except asyncpg.UniqueViolationError:
        raise _key_taken(new.body.key) from None
    return await _written(connection, old["id"])


async def retire(connection: Connection, definition_id: UUID) -> None:
    """Retire a definition that is held; one that is retired stays as it is."""
    await write(connection, _RETIRE, definition_id)


async def _written(connection: Connection, definition_id: UUID) -> Record:
    """What was saved. Raises ProblemError, 422, where Postgres writes it too long to be read."""
    row = await find(connection, definition_id)
    if len(row["criteria"]) > MAX_TEXT:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY,
            f"The criteria take {len(row['criteria']):,} characters, their numbers written without "
            f"exponents, and may take {MAX_TEXT:,}",
        )
    return row


def _values(new: Sent[DefinitionBody], status: str) -> list[object]:
    body = new.body
    return [
        *(body.name, body.description, body.icon, new.criteria),
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


async def _check_unasked(connection: Connection, old: Record, new: Sent[DefinitionBody]) -> None:
    """Refuse another key while criteria ask for the one before: they would ask for nothing."""
    asking = [
        row["key"]
        for row in await connection.fetch(_ASKING, old["id"])
        if _asks(row["criteria"], old["key"])
    ]
    if _asks(new.criteria, old["key"]):
        asking.append(new.body.key)
    if asking:
        raise ProblemError(
            HTTPStatus.CONFLICT,
            f"The key {old['key']} cannot change while criteria ask for it, those of "
            f"{', '.join(asking[:10])}: change these first",
        )


def _asks(text: str, key: str) -> bool:
    criteria = parse_saved(text)
    return criteria is not None and key in criteria.badge_keys()
