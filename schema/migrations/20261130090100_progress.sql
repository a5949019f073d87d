-- Progress, streaks and who is about to lose one: from the tables alone, so that they answer while
-- the stream is down.
--
-- What PostgREST and `badges api` ask answers for the mentors whom the request's claims show, also where
-- their role may not read the application's tables.

-- The date that it is where a mentor's days begin. A time zone that Postgres does not know, saved
-- while triggers were off, counts as UTC.
CREATE OR REPLACE FUNCTION badges_private.today_of(mentor uuid) RETURNS date
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (now() AT TIME ZONE badges_private.zone_of(mentor))::date;
END
$$;

-- The first day of the period that a date is in; from dates alone, which reach further than
-- timestamps do.
CREATE OR REPLACE FUNCTION badges_private.period_begins(period text, day date) RETURNS date
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE period
        WHEN 'day' THEN day
        -- The first date of all was a Monday.
        WHEN 'week' THEN day - (day - date '4714-11-24 BC') % 7
        -- Of the first month of all, the first date that there is.
        WHEN 'month' THEN day - least(extract(day FROM day)::int - 1, day - date '4714-11-24 BC')
    END
$$;

-- What follows is PL/pgSQL also where SQL would do: it keeps plans, which take longer than they run.

-- The periods that have a paused day. A pause may begin and end in either infinity.
CREATE OR REPLACE FUNCTION badges_private.paused_periods(mentor uuid, period text)
RETURNS int4multirange
LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN (
        SELECT coalesce(range_agg(int4range(
                   badges_private.period_of(period, p.starts_on),
                   badges_private.period_of(period, p.ends_on), '[]')), '{}')
        FROM (
            SELECT least(greatest(p.starts_on, date '4714-11-24 BC'),
                         date '5874897-12-31') AS starts_on,
                   least(greatest(coalesce(p.ends_on, 'infinity'), date '4714-11-24 BC'),
                         date '5874897-12-31') AS ends_on
            FROM public.mentor_pauses p
            WHERE p.peer_mentor_id = mentor
        ) AS p
        WHERE p.starts_on <= p.ends_on);
END
$$;

-- How many of the periods from `first` on and before `stop` are missed: none that is paused is.
CREATE OR REPLACE FUNCTION badges_private.missed_periods(
    first int, stop int, paused int4multirange
) RETURNS int
LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF first >= stop THEN
        RETURN 0;
    ELSIF NOT paused && int4range(first, stop) THEN
        RETURN stop - first;
    END IF;
    RETURN stop - first - (
        SELECT sum(upper(bridged) - lower(bridged))
        FROM unnest(paused * int4multirange(int4range(first, stop))) AS bridged);
END
$$;

-- The last day of today's period, if the run whose newest period is `newest` is over with it unless it
-- comes to count; else null. The period that today falls in is not missed before it ends.
CREATE OR REPLACE FUNCTION badges_private.at_risk_until(
    period text, newest int, grace int, paused int4multirange, today date
) RETURNS date
LANGUAGE plpgsql STABLE AS $$
DECLARE
    now_in int := badges_private.period_of(period, today);
BEGIN
    IF newest < now_in AND NOT paused @> now_in
        AND badges_private.missed_periods(newest + 1, now_in, paused) = grace THEN
        RETURN (date_trunc(period, today::timestamp) + ('1 ' || period)::interval)::date - 1;
    END IF;
    RETURN NULL;
END
$$;

-- What of the newest runs in a mentor's statistics is current as of today, and until when that is at
-- risk. For the views below: who reads them need not read time zones and pauses.
CREATE OR REPLACE FUNCTION badges_private.streaks_now(
    mentor uuid, day_length int, day_last_on date, week_length int, week_last_on date,
    month_length int, month_last_on date
) RETURNS TABLE (
    today date, day_current int, day_at_risk_until date, week_current int, week_at_risk_until date,
    month_current int, month_at_risk_until date
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1 AS $$
#variable_conflict use_variable
DECLARE
    zone_today date := badges_private.today_of(mentor);
BEGIN
    today := zone_today;
    SELECT n.current, n.at_risk_until INTO day_current, day_at_risk_until
    FROM badges_private.run_now(mentor, 'day', day_length, day_last_on, zone_today) AS n;
    SELECT n.current, n.at_risk_until INTO week_current, week_at_risk_until
    FROM badges_private.run_now(mentor, 'week', week_length, week_last_on, zone_today) AS n;
    SELECT n.current, n.at_risk_until INTO month_current, month_at_risk_until
    FROM badges_private.run_now(mentor, 'month', month_length, month_last_on, zone_today) AS n;
    RETURN NEXT;
END
$$;

CREATE OR REPLACE FUNCTION badges_private.run_now(
    mentor uuid, period text, length int, last_on date, today date
) RETURNS TABLE (current int, at_risk_until date)
LANGUAGE plpgsql STABLE ROWS 1 AS $$
#variable_conflict use_variable
DECLARE
    newest int := badges_private.period_of(period, last_on);
    paused int4multirange;
BEGIN
    current := 0;
    IF newest >= badges_private.period_of(period, today) THEN
        current := length;
    ELSIF newest IS NOT NULL THEN
        paused := badges_private.paused_periods(mentor, period);
        IF badges_private.missed_periods(
            newest + 1, badges_private.period_of(period, today), paused) = 0 THEN
            current := length;
            at_risk_until := badges_private.at_risk_until(period, newest, 0, paused, today);
        END IF;
    END IF;
    RETURN NEXT;
END
$$;

-- Streaks as of today. A run ends unless every period between its last one and today's has a paused
-- day; the period that today falls in never breaks it before it ends.
CREATE OR REPLACE VIEW public.peer_mentor_stats_current WITH (security_invoker = true) AS
SELECT s.peer_mentor_id, n.today, s.activity_count, s.minutes_total, s.active_days,
       s.counts_by_type, s.training_count, s.first_activity_on, s.last_activity_on,
       s.day_streak_longest, s.day_streak_length, s.day_streak_last_on,
       n.day_current AS day_streak_current,
       s.week_streak_longest, s.week_streak_length, s.week_streak_last_on,
       n.week_current AS week_streak_current,
       s.month_streak_longest, s.month_streak_length, s.month_streak_last_on,
       n.month_current AS month_streak_current,
       s.updated_at
FROM public.peer_mentor_stats s
CROSS JOIN LATERAL badges_private.streaks_now(
    s.peer_mentor_id, s.day_streak_length, s.day_streak_last_on, s.week_streak_length,
    s.week_streak_last_on, s.month_streak_length, s.month_streak_last_on) AS n;

-- The current streaks that end with today's period, on `ends_on`, unless it comes to count. A period
-- that counts already, or has a paused day, does not end a streak; neither is one at risk that has a
-- row in a later period.
CREATE OR REPLACE VIEW public.peer_mentor_streaks_at_risk WITH (security_invoker = true) AS
SELECT s.peer_mentor_id, run.period, run.length, run.ends_on
FROM public.peer_mentor_stats s
CROSS JOIN LATERAL badges_private.streaks_now(
    s.peer_mentor_id, s.day_streak_length, s.day_streak_last_on, s.week_streak_length,
    s.week_streak_last_on, s.month_streak_length, s.month_streak_last_on) AS n
CROSS JOIN LATERAL (VALUES
    ('day', n.day_current, n.day_at_risk_until),
    ('week', n.week_current, n.week_at_risk_until),
    ('month', n.month_current, n.month_at_risk_until)
) AS run (period, length, ends_on)
WHERE run.ends_on IS NOT NULL;

SELECT badges_private.close_to_public('public.peer_mentor_streaks_at_risk'::regclass);

-- The mentor's periods in which a metric of the rows chosen reaches per_period, each with its newest
-- date.
CREATE OR REPLACE FUNCTION badges_private.counting_periods(
    mentor uuid, period text, metric text, per_period bigint, types text[], counts_from date
) RETURNS TABLE (in_period int, day date)
LANGUAGE sql STABLE ROWS 100 AS $$
    SELECT g.in_period, max(g.day)
    FROM badges_private.gains(
        counting_periods.mentor, counting_periods.metric, counting_periods.types,
        greatest(counting_periods.counts_from, date '4714-11-24 BC'), date '5874897-12-31',
        counting_periods.period) AS g
    GROUP BY g.in_period
    HAVING sum(g.gain) >= counting_periods.per_period
$$;

-- Whether a mentor's periods that count are in a row, as of a date: the longest run, and the newest,
-- which is current until more than `grace` periods are missed.
CREATE OR REPLACE FUNCTION badges_private.runs(
    mentor uuid, period text, metric text, per_period bigint, types text[], counts_from date,
    grace int, today date
) RETURNS TABLE (longest int, current int, last_on date, at_risk_until date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    paused int4multirange := badges_private.paused_periods(mentor, period);
    now_in int := badges_private.period_of(period, today);
    newest record;
BEGIN
    FOR newest IN
        WITH runs AS (
            SELECT r.run, count(*)::int AS length, max(r.in_period) AS last, max(r.day) AS day
            FROM (
                SELECT c.in_period, c.day, count(*) FILTER (
                    WHERE c.in_period - c.before - 1 > grace
                        AND badges_private.missed_periods(c.before + 1, c.in_period, paused) > grace
                ) OVER (ORDER BY c.in_period) AS run
                FROM (
                    SELECT c.*, lag(c.in_period) OVER (ORDER BY c.in_period) AS before
                    FROM badges_private.counting_periods(
                        mentor, period, metric, per_period, types, counts_from) AS c
                ) AS c
            ) AS r
            GROUP BY r.run
        )
        SELECT r.length, r.last, r.day, (SELECT max(each.length) FROM runs each) AS longest
        FROM runs r ORDER BY r.run DESC LIMIT 1
    LOOP
        longest := newest.longest;
        current := CASE
            WHEN badges_private.missed_periods(newest.last + 1, now_in, paused) <= grace
            THEN newest.length ELSE 0 END;
        last_on := badges_private.period_begins(period, newest.day);
        at_risk_until := badges_private.at_risk_until(period, newest.last, grace, paused, today);
        RETURN NEXT;
    END LOOP;
END
$$;

-- Of the streaks at some JSON paths within criteria, the last day of each that is about to be lost.
CREATE OR REPLACE FUNCTION badges_private.risks(
    mentor uuid, node jsonb, at text, paths text[], counts_from date, today date
) RETURNS TABLE (path text, at_risk_until date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    period text := node ->> 'period';
    metric text := coalesce(node ->> 'metric', 'count');
    per_period bigint := coalesce(node ->> 'per_period', '1');
    grace int := coalesce(node ->> 'grace', '0');
    types text[] := badges_private.names(node -> 'activity_types');
    newest int;
BEGIN
    IF node ->> 'type' = 'streak' AND at = ANY (paths) THEN
        SELECT max(c.in_period) INTO newest
        FROM badges_private.counting_periods(
            mentor, period, metric, per_period, types, counts_from) AS c;
        path := at;
        at_risk_until := badges_private.at_risk_until(
            period, newest, grace, badges_private.paused_periods(mentor, period), today);
        IF at_risk_until IS NOT NULL THEN
            RETURN NEXT;
        END IF;
    ELSIF node ? 'of' THEN
        RETURN QUERY
            SELECT r.path, r.at_risk_until
            FROM jsonb_array_elements(node -> 'of') WITH ORDINALITY AS part (node, place)
            CROSS JOIN LATERAL badges_private.risks(
                mentor, part.node, format('%s.of[%s]', at, part.place - 1), paths, counts_from,
                today) AS r;
    END IF;
END
$$;

-- Whether a request may see a mentor: by its claims, and everybody for the tables' owner and for roles
-- that no row-level security holds.
CREATE OR REPLACE FUNCTION badges_private.may_see(mentor uuid) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    acting text := badges_private.acting_role();
    role text;
BEGIN
    IF EXISTS (SELECT FROM pg_roles r
               WHERE r.rolname = acting AND (r.rolsuper OR r.rolbypassrls))
        OR pg_has_role(acting, (SELECT c.relowner FROM pg_class c
                                WHERE c.oid = 'public.peer_mentor_stats'::regclass), 'MEMBER') THEN
        RETURN true;
    END IF;
    role := badges_private.claimed_role();
    RETURN EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = mentor AND m.organization_id = badges_private.claimed_organization()
            AND (role IN ('admin', 'coordinator')
                 OR role = 'mentor' AND m.id::text = lower(badges_private.claimed('mentor'))));
END
$$;

-- The active definitions whose criteria the worker has found invalid, or to close a cycle.
CREATE OR REPLACE FUNCTION badges_private.set_aside() RETURNS uuid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(d.id), '{}')
    FROM public.badge_alerts a JOIN public.badge_definitions d ON d.id::text = a.detail ->> 'subject'
    WHERE a.kind = 'definition_invalid' AND a.resolved_at IS NULL
$$;

-- How far a mentor is with each badge that applies, by the definitions' ids: at most so many of those
-- after an id, or all of them for null. `amounts` and `at_risk` are by the JSON paths of the criteria;
-- without amounts the criteria are not valid. What badge_progress gives, and /progress of the HTTP API.
CREATE OR REPLACE FUNCTION badges_private.progress(mentor uuid, after uuid, most int)
RETURNS TABLE (
    badge_definition_id uuid, key text, name text, criteria jsonb, counts_from date, held boolean,
    tier text, amounts jsonb, at_risk jsonb
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_generic_plan SET jit = off AS $$
#variable_conflict use_variable
DECLARE
    today date := badges_private.today_of(mentor);
    applying record;
    failing text[];
BEGIN
    IF NOT badges_private.may_see(mentor) THEN
        RETURN;
    END IF;
    FOR applying IN
        SELECT d.id, d.key, d.name, d.criteria, d.counts_from, a.id IS NOT NULL AS held, a.tier
        FROM public.peer_mentors m
        JOIN public.badge_definitions d
            ON d.organization_id = m.organization_id OR d.organization_id IS NULL
        LEFT JOIN public.badge_awards a
            ON a.peer_mentor_id = m.id AND a.badge_definition_id = d.id AND a.revoked_at IS NULL
        WHERE m.id = mentor AND d.status = 'active' AND (after IS NULL OR d.id > after)
            AND d.id <> ALL (badges_private.set_aside())
        ORDER BY d.id LIMIT most
    LOOP
        -- Criteria that were saved by SQL may be anything: what they break is their own badge alone.
        BEGIN
            SELECT jsonb_object_agg(n.path, n.amount), array_agg(n.path) FILTER (WHERE NOT n.holds)
            INTO amounts, failing
            FROM badges_private.measure(
                ARRAY[mentor], applying.criteria, applying.counts_from) AS n;
            SELECT coalesce(jsonb_object_agg(r.path, r.at_risk_until), '{}') INTO at_risk
            FROM badges_private.risks(
                mentor, applying.criteria, '$', failing, applying.counts_from, today) AS r;
        EXCEPTION
            WHEN data_exception THEN
                amounts := NULL;
                at_risk := '{}';
        END;
        -- Nobody measures what is awarded by hand: it holds for whoever has the badge.
        IF applying.criteria ->> 'type' = 'raw' THEN
            amounts := jsonb_build_object('$', applying.held::int);
        END IF;
        badge_definition_id := applying.id;
        key := applying.key;
        name := applying.name;
        criteria := applying.criteria;
        counts_from := applying.counts_from;
        held := applying.held;
        tier := applying.tier;
        RETURN NEXT;
    END LOOP;
END
$$;

-- As peer_mentor_stats has them, but from the rows as they are now: the streaks of days, weeks and
-- months with any activity, without grace.
CREATE OR REPLACE FUNCTION public.peer_mentor_streaks(peer_mentor_id uuid)
RETURNS TABLE (period text, longest int, current int, last_on date, at_risk_until date)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    IF badges_private.may_see(peer_mentor_streaks.peer_mentor_id) THEN
        RETURN QUERY
            SELECT p.period, coalesce(r.longest, 0), coalesce(r.current, 0), r.last_on,
                   r.at_risk_until
            FROM public.peer_mentors m
            CROSS JOIN unnest(ARRAY['day', 'week', 'month']) WITH ORDINALITY AS p (period, place)
            LEFT JOIN LATERAL badges_private.runs(
                m.id, p.period, 'count', 1, NULL, NULL, 0, badges_private.today_of(m.id)) AS r
                ON true
            WHERE m.id = peer_mentor_streaks.peer_mentor_id
            ORDER BY p.place;
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION public.badge_progress(peer_mentor_id uuid)
RETURNS TABLE (
    badge_definition_id uuid, key text, name text, criteria jsonb, counts_from date, held boolean,
    tier text, amounts jsonb, at_risk jsonb
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.* FROM badges_private.progress(badge_progress.peer_mentor_id, NULL, NULL) AS p
    WHERE p.amounts IS NOT NULL
$$;

DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOREACH ours IN ARRAY ARRAY[
        'badges_private.today_of(uuid)', 'badges_private.period_begins(text, date)',
        'badges_private.paused_periods(uuid, text)',
        'badges_private.missed_periods(int, int, int4multirange)',
        'badges_private.counting_periods(uuid, text, text, bigint, text[], date)',
        'badges_private.at_risk_until(text, int, int, int4multirange, date)',
        'badges_private.runs(uuid, text, text, bigint, text[], date, int, date)',
        'badges_private.run_now(uuid, text, int, date, date)',
        'badges_private.streaks_now(uuid, int, date, int, date, int, date)',
        'badges_private.risks(uuid, jsonb, text, text[], date, date)', 'badges_private.set_aside()',
        'badges_private.progress(uuid, uuid, int)', 'badges_private.may_see(uuid)',
        'public.badge_progress(uuid)', 'public.peer_mentor_streaks(uuid)'
    ]::regprocedure[] LOOP
        PERFORM badges_private.close_to_public(ours);
    END LOOP;
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
        REVOKE ALL ON public.peer_mentor_streaks_at_risk FROM service_role;
        GRANT SELECT ON public.peer_mentor_streaks_at_risk TO service_role;
        GRANT EXECUTE ON FUNCTION
            public.badge_progress(uuid), public.peer_mentor_streaks(uuid),
            badges_private.streaks_now(uuid, int, date, int, date, int, date)
            TO service_role;
    END IF;
END
$$;

GRANT SELECT ON public.peer_mentor_streaks_at_risk TO badges_worker, badges_api;

-- The views call it.
GRANT EXECUTE ON FUNCTION badges_private.streaks_now(uuid, int, date, int, date, int, date)
    TO badges_worker, badges_api;

GRANT EXECUTE ON FUNCTION
    badges_private.progress(uuid, uuid, int), public.badge_progress(uuid),
    public.peer_mentor_streaks(uuid)
    TO badges_api;
