"""Rows that are in the database before the pipeline of the tests begins."""

from collections.abc import Iterable
from datetime import date
from uuid import UUID, uuid4

from sinks.pool import Executor, Pool
from tests.integration.pipeline import count_of, criteria_text

ORGANIZATION, MENTOR, LONELY_MENTOR = (uuid4() for _ in range(3))
BADGE, TIERED_BADGE, GIVEN_BADGE = (uuid4() for _ in range(3))

_TIERS = [{"name": name, "at_least": n} for name, n in (("bronze", 2), ("silver", 4))]


async def insert(pool: Pool) -> None:
    """A mentor with five visits, who holds one of three badges already, and one without rows."""
    await pool.execute(
        "INSERT INTO organizations (id, slug, name) VALUES ($1, 'found', 'Found')", ORGANIZATION
    )
    await pool.executemany(
        "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Somebody')",
        [(MENTOR, ORGANIZATION), (LONELY_MENTOR, ORGANIZATION)],
    )
    for badge, criteria in (
        (BADGE, count_of(3)),
        (TIERED_BADGE, {"type": "tier", "metric": "count", "tiers": _TIERS}),
        (GIVEN_BADGE, count_of(1)),
    ):
        await pool.execute(
            "INSERT INTO badge_definitions (id, organization_id, key, name, description, criteria, "
            "status) VALUES ($1, $2, $1::uuid::text, 'Found', '', $3, 'active')",
            badge,
            ORGANIZATION,
            criteria_text(criteria),
        )
    await pool.executemany(
        "INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) "
        "VALUES (gen_random_uuid(), $1, 'visit', $2)",
        [(MENTOR, date(2026, 3, day)) for day in (1, 2, 3, 4, 5)],
    )
    await pool.execute(
        "SELECT award_badge($1, $2, '2025-05-05 10:00+00', '{}', 'Anna')", MENTOR, GIVEN_BADGE
    )


async def somebody(pool: Pool, organization: UUID, mentor: UUID, courses: Iterable[str]) -> None:
    """A mentor in an organization of their own, who has completed courses."""
    await pool.execute(
        "INSERT INTO organizations (id, slug, name) VALUES ($1, $1::uuid::text, 'Found')",
        organization,
    )
    await pool.execute(
        "INSERT INTO peer_mentors (id, organization_id, display_name) VALUES ($1, $2, 'Somebody')",
        mentor,
        organization,
    )
    for course in courses:
        await complete(pool, mentor, course)


async def complete(connection: Executor, mentor: UUID, course: str) -> UUID:
    """Insert a completed course."""
    new = uuid4()
    await connection.execute(
        "INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on) "
        "VALUES ($1, $2, $3, '2026-01-02')",
        new,
        mentor,
        course,
    )
    return new
