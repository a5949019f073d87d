"""Two organizations whose mentors have done something for months, before the service is there."""

from dataclasses import dataclass, field
from uuid import UUID, uuid4

from sinks.pool import Connection


@dataclass(frozen=True)
class Organization:
    """An organization, and what its mentors alone have done."""

    slug: str
    mentors: int
    own_type: str
    """A type of activity that no other organization has."""
    own_course: str
    id: UUID = field(default_factory=uuid4)


HERE = Organization("asker", 1_000, "skittles", "knitting")
THERE = Organization("bergen", 200, "visit", "basic")


_MENTORS = """
    INSERT INTO peer_mentors (id, organization_id, display_name, active)
    SELECT gen_random_uuid(), $1, $2 || ' ' || n, n % 50 <> 49 FROM generate_series(0, $3 - 1) AS n
"""
# How many rows a mentor has, and how many days lie between them, differ from number to number, so
# that each rule holds for some and not for others.
_NUMBERED = """
    WITH mentor AS (
        SELECT id, split_part(display_name, ' ', 2)::int AS n
        FROM peer_mentors WHERE organization_id = $1
    )
"""
_ACTIVITIES = f"""
    {_NUMBERED}
    INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
    SELECT gen_random_uuid(), id, (ARRAY['visit', 'phone', $2])[1 + (n + place) % 3],
           date '2026-01-05' + n % 5 + place * (1 + n % 9), 10 + 10 * (place % 4)
    FROM mentor, generate_series(0, 23) AS place
    WHERE place < 7 * n % 25
"""
_TRAININGS = f"""
    {_NUMBERED}
    INSERT INTO training_completions (id, peer_mentor_id, course_code, completed_on)
    SELECT gen_random_uuid(), id, course, date '2026-02-01' + n % 60
    FROM mentor, (VALUES ('basic', 2), ('ethics', 3), ($2, 7)) AS given (course, every)
    WHERE n % every = 0
"""
_PAUSES = f"""
    {_NUMBERED}
    INSERT INTO mentor_pauses (id, peer_mentor_id, starts_on, ends_on)
    SELECT gen_random_uuid(), id, '2026-02-02', '2026-02-22' FROM mentor WHERE n % 11 = 0
"""


async def settle(connection: Connection) -> None:
    """Insert them all; one mentor in fifty is no longer active."""
    for each in (HERE, THERE):
        await connection.execute(
            "INSERT INTO organizations (id, slug, name) VALUES ($1, $2, $2)", each.id, each.slug
        )
        await connection.execute(_MENTORS, each.id, each.slug.capitalize(), each.mentors)
        await connection.execute(_ACTIVITIES, each.id, each.own_type)
        await connection.execute(_TRAININGS, each.id, each.own_course)
        await connection.execute(_PAUSES, each.id)
