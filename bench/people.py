"""An organization as large as one may be: 400 mentors with 500 activities each."""

from uuid import UUID, uuid4

from bench.definitions import CRITERIA, ORGANIZATION
from sinks.pool import create_pool
from tests.stack import Stack

MENTORS = 400
ROWS = 500


async def fill(stack: Stack, url: str) -> list[UUID]:
    """Migrate a database and fill it; the ids of the mentors."""
    await stack.migrate(url)
    mentors = [uuid4() for _ in range(MENTORS)]
    async with await create_pool(url, application_name="bench") as owner:
        await owner.execute(
            "INSERT INTO organizations (id, slug) VALUES ($1, 'bench')", ORGANIZATION
        )
        await owner.executemany(
            "INSERT INTO badge_definitions (organization_id, key, criteria, status) "
            "VALUES ($1, $2, $3, 'active')",
            [
                (ORGANIZATION, f"badge-{place}", {"version": 1, **criteria})
                for place, criteria in enumerate(CRITERIA)
            ],
        )
        await owner.executemany(
            "INSERT INTO peer_mentors (id, organization_id, display_name) "
            "VALUES ($1, $2, 'Somebody')",
            [(mentor, ORGANIZATION) for mentor in mentors],
        )
        # Everybody's rows among each other, as they come.
        await owner.execute(
            """
            INSERT INTO activities (peer_mentor_id, activity_type, activity_date, duration_minutes)
            SELECT m.id, (ARRAY['visit', 'phone', 'group'])[1 + n % 3],
                   current_date - (2.5 * n + random())::int, 10 + n % 50
            FROM peer_mentors m, generate_series(1, $1::int) AS n
            ORDER BY n DESC
            """,
            ROWS,
        )
        await owner.execute(
            """
            INSERT INTO training_completions (peer_mentor_id, course_code, completed_on)
            SELECT m.id, course, current_date - n::int
            FROM peer_mentors m, unnest(ARRAY['basic', 'ethics']) WITH ORDINALITY AS c (course, n)
            """
        )
        # As the stream would have counted it.
        await owner.execute(
            """
            INSERT INTO peer_mentor_stats (peer_mentor_id, activity_count, counts_by_type)
            SELECT peer_mentor_id, sum(number), jsonb_object_agg(activity_type, number)
            FROM (
                SELECT peer_mentor_id, activity_type, count(*) AS number
                FROM activities GROUP BY peer_mentor_id, activity_type
            ) AS counted
            GROUP BY peer_mentor_id
            """
        )
        await owner.execute("VACUUM ANALYZE")
    return mentors
