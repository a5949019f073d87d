"""Callers and their requests in this process, as `acting` asks for them."""

import asyncio
import time
from types import SimpleNamespace
from uuid import UUID

from starlette.requests import Request

from badges.api.callers import Caller
from badges.roles import Role
from sinks.pool import Pool


def request(pool: Pool, **state: object) -> Request:
    """A request to an application that has one place at its database, and what else is given."""
    has = SimpleNamespace(pool=pool, places=asyncio.Semaphore(1), **state)
    return Request({"type": "http", "app": SimpleNamespace(state=has)})


def caller(organization: str, role: Role = "admin", mentor: str | None = None) -> Caller:
    """Somebody whose token counts for an hour."""
    return Caller(
        sub="x",
        organization_id=UUID(organization),
        role=role,
        expires_at=time.time() + 3600,
        mentor_id=UUID(mentor) if mentor else None,
    )
