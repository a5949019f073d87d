"""Bringing the catalogue's badges into a database, without touching what anybody else has written.

Whose a definition is, its versions tell: each says who saved it. The catalogue changes a definition
only while that says what the catalogue last wrote. Its status is no part of that: whoever activates
a badge has not edited it.
"""

import json
from collections.abc import Sequence
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from asyncpg import Record
from msgspec import Struct
from msgspec.structs import replace

from badges.catalogue.entries import Entry
from badges.organizations import Organization, act_for
from badges.queries.definition_lock import lock_definitions
from badges.queries.verdicts import judge, judge_alone
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure
from tables.languages import Language

_AUTHOR: Final = "badges catalogue"
"""Who has saved what the catalogue wrote: saved_by of its versions."""

Action: TypeAlias = Literal["create", "change", "activate", "keep", "leave"]

_ACT: Final = """
    SELECT set_config('request.jwt.claims', json_build_object('sub', $1::text)::text, true)
"""
_ALONE: Final = "SELECT pg_advisory_xact_lock(hashtext($1))"
_THERE: Final = """
    SELECT d.id, d.key, d.organization_id IS NOT DISTINCT FROM $1 AS own, d.status,
           jsonb_build_array(d.name, d.description, d.icon, d.criteria, d.counts_from, d.revocable)
               AS content,
           last.status AS last_status,
           (d.name, d.description, d.icon, d.criteria::text, d.counts_from, d.revocable)
               IS DISTINCT FROM
               (last.name, last.description, last.icon, last.criteria::text, last.counts_from,
                last.revocable) AS edited
    FROM public.badge_definitions d
    LEFT JOIN LATERAL (
        SELECT v.* FROM public.badge_definition_versions v
        WHERE v.id = d.id AND v.saved_by = $3 AND NOT v.deleted
        ORDER BY v.version DESC LIMIT 1
    ) AS last ON true
    WHERE d.key = ANY($2) AND (d.organization_id IS NULL OR d.organization_id = $1)
    ORDER BY d.id
    FOR UPDATE OF d
"""
_CREATE: Final = """
    INSERT INTO public.badge_definitions (id, organization_id, key, name, description, icon,
                                          criteria, counts_from, revocable, status)
    VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6::jsonb, $7, $8, $9)
"""
_CHANGE: Final = """
    UPDATE public.badge_definitions
    SET name = $2, description = $3, icon = $4, criteria = $5::jsonb, counts_from = $6,
        revocable = $7, status = $8
    WHERE id = $1
"""


class CatalogueStep(Struct, frozen=True):
    """What becomes of one badge, why it is left alone where it is, and what to know of it."""

    key: str
    name: str
    action: Action
    status: str
    reason: str | None = None
    warnings: list[str] = []

    @property
    def changes(self) -> bool:
        return self.action not in {"keep", "leave"}


async def apply(
    connection: Connection,
    organization: Organization | None,
    entries: Sequence[Entry],
    language: Language,
    *,
    activate: bool,
    dry_run: bool,
) -> list[CatalogueStep]:
    """Bring entries into an organization, or without one into all; what became of each.

    Belongs into a transaction.
    """
    owner = None if organization is None else organization.id
    await connection.execute(_ALONE, _AUTHOR)
    if owner is not None:
        await lock_definitions(connection, owner)
    await connection.execute(_ACT, _AUTHOR)
    keys = [entry.key for entry in entries]
    rows = await connection.fetch(_THERE, owner, keys, _AUTHOR)
    own = {row["key"]: row for row in rows if row["own"]}
    of_all = {row["key"]: row["status"] for row in rows if not row["own"]}
    steps = []
    for entry in entries:
        row = own.get(entry.key)
        if row is not None:
            step = _of_own(entry, row, language, activate=activate)
        elif of_all.get(entry.key, "retired") != "retired":
            status = of_all[entry.key]
            step = _step(entry, language, "leave", status, "it is there for every organization")
        else:
            step = _step(entry, language, "create", "active" if activate else "draft")
        if step.changes:
            step = replace(step, warnings=await _warnings(connection, owner, entry, language))
            if not dry_run:
                await _write(connection, owner, entry, row, step, language)
        steps.append(step)
    return steps


def _of_own(entry: Entry, row: Record, language: Language, *, activate: bool) -> CatalogueStep:
    """What becomes of a badge that is there."""
    status = row["status"]
    if row["last_status"] is None:
        return _step(entry, language, "leave", status, "it is there, and not from the catalogue")
    if row["edited"]:
        return _step(entry, language, "leave", status, "somebody has edited it")
    if status == "retired":
        return _step(entry, language, "leave", status, "it is retired")
    if activate and status == "draft" and row["last_status"] == "draft":
        return _step(entry, language, "activate", "active")
    same = json.loads(row["content"]) == _content(entry, language)
    return _step(entry, language, "keep" if same else "change", status)


def _step(
    entry: Entry, language: Language, action: Action, status: str, reason: str | None = None
) -> CatalogueStep:
    return CatalogueStep(entry.key, entry.name[language], action, status, reason)


def _content(entry: Entry, language: Language) -> list[Any]:
    """What a definition says but for its status, as the query lists it."""
    counts_from = None if entry.counts_from is None else str(entry.counts_from)
    texts = entry.name[language], entry.description[language], entry.icon
    return [*texts, entry.criteria, counts_from, entry.revocable]


async def _warnings(
    connection: Connection, owner: UUID | None, entry: Entry, language: Language
) -> list[str]:
    """What there is to say of its criteria, as of everybody's; raises Failure if they are wrong."""
    criteria = json.dumps(entry.criteria)
    if owner is None:
        verdict = judge_alone(criteria, language, counts_from=entry.counts_from)
    else:
        await act_for(connection, owner)
        verdict = await judge(
            connection, criteria, language, key=entry.key, counts_from=entry.counts_from
        )
    if not verdict.valid:
        raise Failure(f"{entry.key} cannot be saved: {verdict.errors[0]}", code=FOUND_A_PROBLEM)
    return verdict.warnings


async def _write(
    connection: Connection,
    owner: UUID | None,
    entry: Entry,
    row: Record | None,
    step: CatalogueStep,
    language: Language,
) -> None:
    texts = entry.name[language], entry.description[language], entry.icon
    rest = json.dumps(entry.criteria), entry.counts_from, entry.revocable, step.status
    if row is None:
        await connection.execute(_CREATE, owner, entry.key, *texts, *rest)
    else:
        await connection.execute(_CHANGE, row["id"], *texts, *rest)
