"""An organization with something in each table, and callers of every kind for it."""

from dataclasses import dataclass
from typing import Final
from uuid import uuid4

import httpx

from sinks.pool import Pool
from tests import http
from tests.api.conftest import Organization
from tests.api.service import Service
from tests.stack import LIMIT_S

THRESHOLD: Final = {"version": 1, "type": "threshold", "metric": "count", "at_least": 1}

CALLERS: Final = (
    "nobody",
    "mentor",
    "another mentor",
    "coordinator",
    "admin",
    "foreign mentor",
    "foreign admin",
)
"""The mentor is the one that is asked about; the foreign mentor claims that mentor's id."""


@dataclass(frozen=True)
class World:
    """One organization, of which the foreign callers must see nothing."""

    organization: str
    mentor: str
    another_mentor: str
    definition: str
    given: str
    """A definition whose badge the mentor holds, given by hand."""
    foreign_organization: str

    def ids(self) -> set[str]:
        """What nobody of the foreign organization may read."""
        return {
            self.organization,
            self.mentor,
            self.another_mentor,
            self.definition,
            self.given,
        }

    def client(self, service: Service, caller: str, *, patient: bool = True) -> httpx.Client:
        """A client that calls as one of CALLERS."""
        if caller == "nobody":
            return httpx.Client(base_url=service.url, timeout=LIMIT_S, limits=http.ANEW)
        organization = self.foreign_organization if "foreign" in caller else self.organization
        subs = {
            "mentor": self.mentor,
            "another mentor": self.another_mentor,
            "foreign mentor": self.mentor,
        }
        role = caller.rpartition(" ")[2]
        if not patient:
            return service.once(role, organization, subs.get(caller))
        return service.client(role, organization, subs.get(caller))


async def world(owner: Pool, mine: Organization, other: Organization) -> World:
    """Fill an organization."""
    definitions = (str(uuid4()), str(uuid4()))
    await owner.executemany(
        """
        INSERT INTO badge_definitions
            (id, organization_id, key, name, description, criteria, status)
        VALUES ($1, $2, $3, 'Name', 'Description', $4, 'active')
        """,
        [(each, mine.id, f"key-{each}", THRESHOLD) for each in definitions],
    )
    mentor, another = mine.mentors
    await owner.execute(
        """
        INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date)
        VALUES (gen_random_uuid(), $1, 'visit', '2026-01-01')
        """,
        mentor,
    )
    await owner.execute(
        "SELECT award_badge($1, $2, '2026-01-01', $3, 'Ola Nordmann')",
        mentor,
        definitions[1],
        {},
    )
    return World(mine.id, mentor, another, *definitions, other.id)
