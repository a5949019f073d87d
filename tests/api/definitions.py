"""Badge definitions for tests of the API."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

import httpx

from sinks.pool import Pool

PATH = "/v1/badge-definitions"

VISITS = {"version": 1, "type": "threshold", "metric": "count", "at_least": 3}
FIRST = VISITS | {"at_least": 1}
RAW = {
    "version": 1, "type": "raw", "criteria_raw": {"by": "jury"}, "reason": "a jury chooses",
}  # fmt: skip


def badges(*keys: str) -> dict[str, Any]:
    """Criteria that ask for other badges."""
    return {"version": 1, "type": "badges", "badges": list(keys)}


def definition(criteria: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    """What is sent to save a definition, under a key of its own unless one is given."""
    return {
        "key": f"badge-{uuid4()}",
        "name": "A badge",
        "criteria": criteria or VISITS,
        **more,
    }


def created(client: httpx.Client, criteria: dict[str, Any] | None = None, **more: Any) -> Any:
    """Save a new definition, and return the answer's JSON."""
    response = client.post(PATH, json=definition(criteria, **more))
    assert response.status_code == 201, response.text
    return response.json()


def saved(client: httpx.Client, old: dict[str, Any], **changes: Any) -> httpx.Response:
    """Save what was answered, changed, in place of the version that was answered."""
    return client.put(
        f"{PATH}/{old['id']}",
        json={**old, **changes},
        headers={"If-Match": f'"{old["version"]}"'},
    )


@asynccontextmanager
async def everybodys(owner: Pool, criteria: dict[str, Any] | None = None) -> AsyncIterator[str]:
    """The id of a definition of every organization, other tests' too; it is gone afterwards."""
    definition_id = await owner.fetchval(
        "INSERT INTO badge_definitions (key, name, criteria, status) "
        "VALUES ($1, 'Everybody''s', $2, 'active') RETURNING id::text",
        f"everybodys-{uuid4()}",
        criteria or VISITS,
    )
    try:
        yield definition_id
    finally:
        await owner.execute(
            "DELETE FROM badge_definitions WHERE id = $1::text::uuid", definition_id
        )
