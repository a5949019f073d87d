-- The rows of peer_mentor_stats of some mentors ($1) as the source tables say them, beside those that
-- there are: the ones that differ.
--
-- Dates in either infinity are none, as the log has none.
WITH mentors AS MATERIALIZED (
    SELECT m.id FROM peer_mentors m WHERE m.id = ANY ($1)
),
done AS MATERIALIZED (
    SELECT a.peer_mentor_id AS id, a.activity_date AS day,
           left(a.activity_type, 200) COLLATE "C" AS kind, count(*) AS activities,
           sum(greatest(a.duration_minutes, 0)) AS minutes
    FROM activities a JOIN mentors m ON m.id = a.peer_mentor_id
    WHERE isfinite(a.activity_date)
    GROUP BY 1, 2, 3
),
by_type AS (
    SELECT k.id, jsonb_object_agg(k.kind, k.activities) AS counts
    FROM (
        SELECT d.id, d.kind, sum(d.activities)::bigint AS activities FROM done d GROUP BY 1, 2
    ) AS k
    GROUP BY k.id
),
totals AS (
    SELECT d.id, sum(d.activities)::bigint AS activities,
           coalesce(sum(d.minutes), 0)::bigint AS minutes, count(DISTINCT d.day) AS days,
           min(d.day) AS first_day, max(d.day) AS last_day
    FROM done d GROUP BY d.id
),
trained AS (
    SELECT t.peer_mentor_id AS id, count(*) AS completions
    FROM training_completions t JOIN mentors m ON m.id = t.peer_mentor_id
    WHERE isfinite(t.completed_on)
    GROUP BY 1
),
-- The periods that have a row: all of them count.
counting AS (
    SELECT d.id, p.period, badges_private.period_of(p.period, d.day) AS number, max(d.day) AS day
    FROM done d CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
    GROUP BY 1, 2, 3
),
-- A pause may begin and end in either infinity.
bounded AS (
    SELECT p.peer_mentor_id AS id,
           least(greatest(p.starts_on, date '4714-11-24 BC'), date '5874897-12-31') AS starts_on,
           least(greatest(coalesce(p.ends_on, 'infinity'), date '4714-11-24 BC'),
                 date '5874897-12-31') AS ends_on
    FROM mentor_pauses p JOIN mentors m ON m.id = p.peer_mentor_id
),
paused AS (
    SELECT b.id, p.period, range_agg(int4range(
               badges_private.period_of(p.period, b.starts_on),
               badges_private.period_of(p.period, b.ends_on), '[]')) AS periods
    FROM bounded b CROSS JOIN (VALUES ('day'), ('week'), ('month')) AS p (period)
    WHERE b.starts_on <= b.ends_on
    GROUP BY 1, 2
),
-- A run begins where a period was missed: one that has no paused day.
beginning AS (
    SELECT c.id, c.period, c.number, c.day,
           CASE WHEN p.periods IS NULL THEN c.before IS NULL OR c.number - c.before > 1
                ELSE c.number - c.before - 1 > coalesce((
                    SELECT sum(upper(bridged) - lower(bridged))
                    FROM unnest(p.periods * int4multirange(int4range(c.before + 1, c.number)))
                        AS bridged), 0) END AS begins
    FROM (
        SELECT c.*, lag(c.number) OVER (PARTITION BY c.id, c.period ORDER BY c.number) AS before
        FROM counting c
    ) AS c
    LEFT JOIN paused p ON p.id = c.id AND p.period = c.period
        AND c.number - c.before > 1
),
runs AS (
    SELECT r.id, r.period, r.run, count(*) AS length, max(r.number) AS last, max(r.day) AS day
    FROM (
        SELECT b.*, count(*) FILTER (WHERE b.begins)
                   OVER (PARTITION BY b.id, b.period ORDER BY b.number) AS run
        FROM beginning b
    ) AS r
    GROUP BY 1, 2, 3
),
streaks AS (
    SELECT r.id, r.period, max(r.length) AS longest,
           (array_agg(r.length ORDER BY r.last DESC))[1] AS length,
           -- The first day of the period that the newest row is in.
           (array_agg(r.day ORDER BY r.last DESC))[1] AS day
    FROM runs r GROUP BY 1, 2
),
expected AS (
    SELECT m.id, jsonb_build_object(
        'activity_count', coalesce(t.activities, 0), 'minutes_total', coalesce(t.minutes, 0),
        'active_days', coalesce(t.days, 0), 'counts_by_type', coalesce(k.counts, '{}'),
        'training_count', coalesce(c.completions, 0),
        'first_activity_on', t.first_day, 'last_activity_on', t.last_day,
        'day_streak_longest', coalesce(d.longest, 0), 'day_streak_length', coalesce(d.length, 0),
        'day_streak_last_on', badges_private.period_begins('day', d.day),
        'week_streak_longest', coalesce(w.longest, 0), 'week_streak_length', coalesce(w.length, 0),
        'week_streak_last_on', badges_private.period_begins('week', w.day),
        'month_streak_longest', coalesce(o.longest, 0),
        'month_streak_length', coalesce(o.length, 0),
        'month_streak_last_on', badges_private.period_begins('month', o.day)) AS stats
    FROM mentors m
    LEFT JOIN totals t ON t.id = m.id
    LEFT JOIN by_type k ON k.id = m.id
    LEFT JOIN trained c ON c.id = m.id
    LEFT JOIN streaks d ON d.id = m.id AND d.period = 'day'
    LEFT JOIN streaks w ON w.id = m.id AND w.period = 'week'
    LEFT JOIN streaks o ON o.id = m.id AND o.period = 'month'
),
found AS (
    SELECT s.peer_mentor_id AS id, jsonb_build_object(
        'activity_count', s.activity_count, 'minutes_total', s.minutes_total, 'active_days',
        s.active_days, 'counts_by_type', s.counts_by_type, 'training_count', s.training_count,
        'first_activity_on', s.first_activity_on, 'last_activity_on', s.last_activity_on,
        'day_streak_longest', s.day_streak_longest, 'day_streak_length', s.day_streak_length,
        'day_streak_last_on', s.day_streak_last_on, 'week_streak_longest',
        s.week_streak_longest, 'week_streak_length', s.week_streak_length,
        'week_streak_last_on', s.week_streak_last_on, 'month_streak_longest',
        s.month_streak_longest, 'month_streak_length', s.month_streak_length,
        'month_streak_last_on', s.month_streak_last_on) AS stats
    FROM peer_mentor_stats s JOIN mentors m ON m.id = s.peer_mentor_id
),
compared AS (
    SELECT id, expected.stats AS expected, found.stats AS found
    FROM expected LEFT JOIN found USING (id)
)
SELECT c.id, c.expected::text AS expected, c.found::text AS found,
       -- Decided, and Postgres does not let it be written yet.
       EXISTS (SELECT FROM badge_refused_writes w
               WHERE w.peer_mentor_id = c.id AND w.kind IN ('stats', 'departed')) AS waits
FROM compared c
WHERE c.expected IS DISTINCT FROM c.found
ORDER BY c.id
