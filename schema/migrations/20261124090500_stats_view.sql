-- Streaks as of today. A run ends unless every period between its last one and today's has a paused
-- day; the period that today falls in never breaks it before it ends.
CREATE OR REPLACE VIEW public.peer_mentor_stats_current WITH (security_invoker = true) AS
WITH clock AS MATERIALIZED (
    SELECT id, (now() AT TIME ZONE coalesce(timezone, 'Europe/Oslo'))::date AS today
    FROM public.organizations
)
SELECT s.peer_mentor_id, clock.today, s.activity_count, s.minutes_total, s.active_days,
       s.counts_by_type, s.training_count, s.first_activity_on, s.last_activity_on,
       s.day_streak_longest, s.day_streak_length, s.day_streak_last_on, now_on.day_streak_current,
       s.week_streak_longest, s.week_streak_length, s.week_streak_last_on,
       now_on.week_streak_current,
       s.month_streak_longest, s.month_streak_length, s.month_streak_last_on,
       now_on.month_streak_current,
       s.updated_at
FROM public.peer_mentor_stats s
JOIN public.peer_mentors m ON m.id = s.peer_mentor_id
JOIN clock ON clock.id = m.organization_id
CROSS JOIN LATERAL (
    SELECT max(run.held) FILTER (WHERE run.period = 'day') AS day_streak_current,
           max(run.held) FILTER (WHERE run.period = 'week') AS week_streak_current,
           max(run.held) FILTER (WHERE run.period = 'month') AS month_streak_current
    FROM (
        SELECT newest.period, CASE WHEN newest.last_on IS NULL OR EXISTS (
            SELECT FROM generate_series(
                newest.last_on::timestamp + newest.step,
                date_trunc(newest.period, clock.today::timestamp) - newest.step,
                newest.step) AS missed (begins)
            WHERE NOT EXISTS (
                SELECT FROM public.mentor_pauses p
                WHERE p.peer_mentor_id = s.peer_mentor_id
                    AND p.starts_on < missed.begins + newest.step
                    AND coalesce(p.ends_on, 'infinity') >= greatest(p.starts_on, missed.begins))
        ) THEN 0 ELSE newest.length END AS held
        FROM (VALUES
            ('day', interval '1 day', s.day_streak_length, s.day_streak_last_on),
            ('week', interval '1 week', s.week_streak_length, s.week_streak_last_on),
            ('month', interval '1 month', s.month_streak_length, s.month_streak_last_on)
        ) AS newest (period, step, length, last_on)
    ) AS run
) AS now_on;

SELECT badges_private.close_to_public('public.peer_mentor_stats_current'::regclass);
