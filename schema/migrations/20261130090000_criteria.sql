-- Criteria as SQL: the second opinion beside the worker's fold, for previews, progress and audits.
--
--   badges_private.measure(mentors, criteria, counts_from)
--
-- has a row for each of some mentors and each node of the criteria, by the rows that row-level
-- security shows to the caller:
--
--   path           the node's JSON path: $, $.of[0], ..., and $.tiers[0], ... for each tier
--   amount         how much there is now of what the node asks for: the best window's amount, the
--                  longest run's length, or how many courses, badges or parts there are
--   holds          whether that is enough; of a tier badge, whether its lowest tier is reached
--   came_true_on   the date on which it first came true, going through the mentor's rows by date;
--                  null where it does not hold
--
-- It has no rows for criteria that are never evaluated (raw). Criteria that are not valid raise
-- nothing, and hold for nobody.
--
-- A type of criteria is a function of its own: measure_ and the type's name, which is given the
-- mentors, the node, its path and counts_from. A type without one is never evaluated.
--
-- Names count by their first 200 characters. Rows dated in either infinity are none, as the log has
-- none; any other date that Postgres knows counts.

-- A number for the period that a date is in; neighbours are one apart. All dates are in one 'ever'.
CREATE OR REPLACE FUNCTION badges_private.period_of(period text, day date) RETURNS int
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE period
        WHEN 'ever' THEN 0
        -- The first date of all was a Monday.
        WHEN 'day' THEN day - date '4714-11-24 BC'
        WHEN 'week' THEN (day - date '4714-11-24 BC') / 7
        ELSE (
            -- No year 0 lies between 1 BC and 1; from 4801 BC on, every month has a number above 0.
            12 * (extract(year FROM day)::int + CASE WHEN day < date '0001-01-01' THEN 4801
                                                     ELSE 4800 END)
            + extract(month FROM day)::int - 1
        ) / CASE period WHEN 'month' THEN 1 WHEN 'quarter' THEN 3 WHEN 'year' THEN 12 END
    END
$$;

-- What a mentor's rows add to a metric, period by period: on each date that adds anything, how much
-- more there is in its period than the day before. Without activity types, all count. Metrics are
-- apart from each other, so that none reads more than it needs: dates and types are in an index.
CREATE OR REPLACE FUNCTION badges_private.gains(
    mentor uuid, metric text, types text[], first_day date, last_day date, period text
) RETURNS TABLE (in_period int, day date, gain bigint)
LANGUAGE sql STABLE ROWS 300 AS $$
    SELECT badges_private.period_of(gains.period, a.activity_date), a.activity_date,
           CASE gains.metric WHEN 'count' THEN count(*) ELSE 1 END
    FROM public.activities a
    WHERE gains.metric IN ('count', 'active_days') AND a.peer_mentor_id = gains.mentor
        AND a.activity_date BETWEEN gains.first_day AND gains.last_day
        AND (gains.types IS NULL OR left(a.activity_type, 200) COLLATE "C" = ANY (gains.types))
    GROUP BY a.activity_date
    UNION ALL
    SELECT badges_private.period_of(gains.period, a.activity_date), a.activity_date,
           sum(greatest(a.duration_minutes, 0))
    FROM public.activities a
    WHERE gains.metric = 'minutes' AND a.peer_mentor_id = gains.mentor
        AND a.activity_date BETWEEN gains.first_day AND gains.last_day
        AND (gains.types IS NULL OR left(a.activity_type, 200) COLLATE "C" = ANY (gains.types))
    GROUP BY a.activity_date
    UNION ALL
    SELECT newcomer.in_period, newcomer.day, count(*)
    FROM (
        SELECT badges_private.period_of(gains.period, a.activity_date) AS in_period,
               min(a.activity_date) AS day
        FROM public.activities a
        WHERE gains.metric = 'distinct_types' AND a.peer_mentor_id = gains.mentor
            AND a.activity_date BETWEEN gains.first_day AND gains.last_day
            AND (gains.types IS NULL OR left(a.activity_type, 200) COLLATE "C" = ANY (gains.types))
        GROUP BY 1, left(a.activity_type, 200) COLLATE "C"
    ) AS newcomer
    GROUP BY newcomer.in_period, newcomer.day
$$;

-- How much there is in its period up to each of a mentor's dates.
CREATE OR REPLACE FUNCTION badges_private.amounts(
    mentor uuid, metric text, types text[], first_day date, last_day date, period text
) RETURNS TABLE (in_period int, day date, amount bigint)
LANGUAGE sql STABLE ROWS 300 AS $$
    SELECT g.in_period, g.day,
           sum(g.gain) OVER (PARTITION BY g.in_period ORDER BY g.day)::bigint
    FROM badges_private.gains(
        amounts.mentor, amounts.metric, amounts.types, amounts.first_day, amounts.last_day,
        amounts.period) AS g
$$;

-- What the windows of some consecutive days come to that end on a mentor's dates. A type is in the
-- windows that end on its date or less than so many days later; where it comes again meanwhile, it
-- stays. The windows that end where one more type comes are all that can be the best.
CREATE OR REPLACE FUNCTION badges_private.rolling_amounts(
    mentor uuid, metric text, types text[], first_day date, last_day date, days int
) RETURNS TABLE (day date, amount bigint)
LANGUAGE sql STABLE ROWS 300 AS $$
    SELECT g.day, sum(g.gain) OVER (
               ORDER BY g.day - date '1970-01-01'
               RANGE BETWEEN rolling_amounts.days - 1 PRECEDING AND CURRENT ROW)::bigint
    FROM badges_private.gains(
        rolling_amounts.mentor, rolling_amounts.metric, rolling_amounts.types,
        rolling_amounts.first_day, rolling_amounts.last_day, 'ever') AS g
    WHERE rolling_amounts.metric <> 'distinct_types'
    UNION ALL
    SELECT date '1970-01-01' + change.place,
           sum(sum(change.by)) OVER (ORDER BY change.place)::bigint
    FROM (
        SELECT v.place, v.by
        FROM (
            SELECT here.place,
                   here.place - lag(here.place) OVER again > rolling_amounts.days AS is_back,
                   lead(here.place) OVER again - here.place > rolling_amounts.days AS is_away
            FROM (
                SELECT left(a.activity_type, 200) COLLATE "C" AS name,
                       a.activity_date - date '1970-01-01' AS place
                FROM public.activities a
                WHERE rolling_amounts.metric = 'distinct_types'
                    AND a.peer_mentor_id = rolling_amounts.mentor
                    AND a.activity_date
                        BETWEEN rolling_amounts.first_day AND rolling_amounts.last_day
                    AND (rolling_amounts.types IS NULL
                         OR left(a.activity_type, 200) COLLATE "C" = ANY (rolling_amounts.types))
            ) AS here
            WINDOW again AS (PARTITION BY here.name ORDER BY here.place)
        ) AS came
        CROSS JOIN LATERAL (
            VALUES (came.place, 1, coalesce(came.is_back, true)),
                   (came.place + rolling_amounts.days, -1, coalesce(came.is_away, true))
        ) AS v (place, by, changes)
        WHERE v.changes AND v.place <= rolling_amounts.last_day - date '1970-01-01'
    ) AS change
    GROUP BY change.place
$$;

-- The texts of a list, each once; null where there is no list.
CREATE OR REPLACE FUNCTION badges_private.names(list jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN list IS NOT NULL THEN
        ARRAY (SELECT DISTINCT name FROM jsonb_array_elements_text(list) AS name) END
$$;

-- One node of some criteria, and the nodes within it, as the function of its type measures them.
CREATE OR REPLACE FUNCTION badges_private.measured(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    function_name text := format('badges_private.%I', 'measure_' || (node ->> 'type'));
BEGIN
    IF to_regprocedure(function_name || '(uuid[], jsonb, text, date)') IS NOT NULL THEN
        RETURN QUERY EXECUTE format('SELECT * FROM %s($1, $2, $3, $4)', function_name)
            USING mentors, node, at, counts_from;
    END IF;
END
$$;

-- How the mentors stand towards some levels of a metric, ever or in the best window: what threshold
-- and tier have in common.
CREATE OR REPLACE FUNCTION badges_private.reached(
    mentors uuid[], node jsonb, counts_from date, levels int[]
) RETURNS TABLE (peer_mentor_id uuid, place int, amount bigint, came_true_on date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    metric text := node ->> 'metric';
    types text[] := badges_private.names(node -> 'activity_types');
    first_day date := greatest(counts_from, (node #>> '{window,from}')::date,
                               date '4714-11-24 BC');
    last_day date := coalesce((node #>> '{window,to}')::date, date '5874897-12-31');
    days int := node #>> '{window,rolling_days}';
    period text := coalesce(node #>> '{window,calendar}', 'ever');
BEGIN
    IF metric = 'count' AND days IS NULL AND period = 'ever' THEN
        -- The index has the dates in their order, and every row adds one.
        RETURN QUERY
            SELECT m.id, level.place::int, coalesce(cardinality(rows.dates), 0)::bigint,
                   rows.dates[level.least]
            FROM unnest(mentors) AS m (id)
            CROSS JOIN LATERAL (
                SELECT array_agg(a.activity_date ORDER BY a.activity_date) AS dates
                FROM public.activities a
                WHERE a.peer_mentor_id = m.id AND a.activity_date BETWEEN first_day AND last_day
                    AND (types IS NULL OR left(a.activity_type, 200) COLLATE "C" = ANY (types))
            ) AS rows
            CROSS JOIN unnest(levels) WITH ORDINALITY AS level (least, place);
        RETURN;
    END IF;
    RETURN QUERY
        WITH amounts AS (
            SELECT m.id, a.day, a.amount
            FROM unnest(mentors) AS m (id)
            CROSS JOIN LATERAL badges_private.rolling_amounts(
                m.id, metric, types, first_day, last_day, days) AS a
            WHERE days IS NOT NULL
            UNION ALL
            SELECT m.id, g.day, g.amount
            FROM unnest(mentors) AS m (id)
            CROSS JOIN LATERAL badges_private.amounts(
                m.id, metric, types, first_day, last_day, period) AS g
            WHERE days IS NULL
        ),
        -- By how many levels each date reaches: the best of them, and the first.
        stages AS (
            SELECT a.id, width_bucket(a.amount, levels) AS reached, max(a.amount) AS amount,
                   min(a.day) AS day
            FROM amounts a
            GROUP BY a.id, 2
        )
        SELECT m.id, level.place::int, coalesce(max(s.amount), 0),
               min(s.day) FILTER (WHERE s.reached >= level.place)
        FROM unnest(mentors) AS m (id)
        CROSS JOIN unnest(levels) WITH ORDINALITY AS level (least, place)
        LEFT JOIN stages s ON s.id = m.id
        GROUP BY m.id, level.place;
END
$$;

CREATE OR REPLACE FUNCTION badges_private.measure_threshold(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE sql STABLE AS $$
    SELECT r.peer_mentor_id, at, r.amount, r.came_true_on IS NOT NULL, r.came_true_on
    FROM badges_private.reached(
        mentors, node, counts_from, ARRAY[(node ->> 'at_least')::int]) AS r
$$;

-- The badge itself stands as its lowest tier does; a row for each tier follows.
CREATE OR REPLACE FUNCTION badges_private.measure_tier(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE sql STABLE AS $$
    SELECT r.peer_mentor_id, v.path, r.amount, r.came_true_on IS NOT NULL, r.came_true_on
    FROM badges_private.reached(mentors, node, counts_from, ARRAY (
        SELECT (tier.step ->> 'at_least')::int
        FROM jsonb_array_elements(node -> 'tiers') WITH ORDINALITY AS tier (step, place)
        ORDER BY tier.place)) AS r
    CROSS JOIN LATERAL (
        VALUES (format('%s.tiers[%s]', at, r.place - 1), true), (at, r.place = 1)
    ) AS v (path, is_row)
    WHERE v.is_row
$$;

CREATE OR REPLACE FUNCTION badges_private.measure_streak(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    metric text := coalesce(node ->> 'metric', 'count');
    types text[] := badges_private.names(node -> 'activity_types');
    period text := node ->> 'period';
    length int := node ->> 'length';
    per_period bigint := coalesce(node ->> 'per_period', '1');
    grace int := coalesce(node ->> 'grace', '0');
    first_day date := date '4714-11-24 BC';
    last_day date := date '5874897-12-31';
BEGIN
    RETURN QUERY
        -- The periods that count, and the date on which each came to.
        WITH counting AS (
            SELECT m.id, a.in_period, min(a.day) AS day
            FROM unnest(mentors) AS m (id)
            CROSS JOIN LATERAL badges_private.amounts(
                m.id, metric, types, greatest(counts_from, first_day), last_day, period) AS a
            WHERE a.amount >= per_period
            GROUP BY m.id, a.in_period
        ),
        -- The periods that have a paused day. A pause may begin and end in either infinity.
        paused AS (
            SELECT p.peer_mentor_id AS id, range_agg(int4range(
                       badges_private.period_of(period, p.starts_on),
                       badges_private.period_of(period, p.ends_on), '[]')) AS periods
            FROM (
                SELECT p.peer_mentor_id,
                       least(greatest(p.starts_on, first_day), last_day) AS starts_on,
                       least(greatest(p.ends_on, first_day), last_day) AS ends_on
                FROM (
                    SELECT p.peer_mentor_id, p.starts_on, coalesce(p.ends_on, 'infinity') AS ends_on
                    FROM public.mentor_pauses p
                    WHERE p.peer_mentor_id = ANY (mentors)
                ) AS p
            ) AS p
            WHERE p.starts_on <= p.ends_on
            GROUP BY p.peer_mentor_id
        ),
        -- A run begins where more was missed since the last period that counted than grace bridges.
        beginning AS (
            SELECT c.id, c.in_period, c.day, coalesce(
                       c.in_period - c.before - 1 > grace
                       AND c.in_period - c.before - 1 - coalesce((
                           SELECT sum(upper(bridged) - lower(bridged))
                           FROM unnest(p.periods * int4multirange(
                               int4range(c.before + 1, c.in_period))) AS bridged), 0) > grace,
                       true) AS begins
            FROM (
                SELECT c.id, c.in_period, c.day,
                       lag(c.in_period) OVER (PARTITION BY c.id ORDER BY c.in_period) AS before
                FROM counting c
            ) AS c
            LEFT JOIN paused p ON p.id = c.id
        ),
        placed AS (
            SELECT r.id, r.day,
                   row_number() OVER (PARTITION BY r.id, r.run ORDER BY r.in_period) AS place
            FROM (
                SELECT b.id, b.in_period, b.day, count(*) FILTER (WHERE b.begins)
                           OVER (PARTITION BY b.id ORDER BY b.in_period) AS run
                FROM beginning b
            ) AS r
        ),
        longest AS (
            SELECT p.id, max(p.place) AS amount, min(p.day) FILTER (WHERE p.place = length) AS day
            FROM placed p
            GROUP BY p.id
        )
        SELECT m.id, at, coalesce(l.amount, 0), l.day IS NOT NULL, l.day
        FROM unnest(mentors) AS m (id)
        LEFT JOIN longest l ON l.id = m.id;
END
$$;

CREATE OR REPLACE FUNCTION badges_private.measure_training(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    courses text[] := badges_private.names(node -> 'courses');
    enough int := coalesce((node ->> 'at_least')::int, cardinality(courses));
BEGIN
    RETURN QUERY
        WITH completed AS (
            SELECT t.peer_mentor_id AS id, min(t.completed_on) AS day
            FROM public.training_completions t
            WHERE t.peer_mentor_id = ANY (mentors) 
                AND left(t.course_code, 200) COLLATE "C" = ANY (courses)
                AND t.completed_on >= coalesce(counts_from, '-infinity')
                AND isfinite(t.completed_on)
            GROUP BY t.peer_mentor_id, left(t.course_code, 200) COLLATE "C"
        )
        SELECT m.id, at, count(c.day), count(c.day) >= enough,
               (array_agg(c.day ORDER BY c.day))[enough]
        FROM unnest(mentors) AS m (id)
        LEFT JOIN completed c ON c.id = m.id
        GROUP BY m.id;
END
$$;

-- The awards of some mentors that are not revoked, as they are decided: what Postgres has refused to
-- write so far counts, as far as the caller may read it.
CREATE OR REPLACE FUNCTION badges_private.decided_awards(mentors uuid[], definitions uuid[])
RETURNS TABLE (peer_mentor_id uuid, badge_definition_id uuid, earned_on date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
BEGIN
    IF NOT has_table_privilege('public.badge_refused_writes', 'SELECT') THEN
        RETURN QUERY
            SELECT a.peer_mentor_id, a.badge_definition_id, a.earned_on
            FROM public.badge_awards a
            WHERE a.peer_mentor_id = ANY (mentors) AND a.badge_definition_id = ANY (definitions)
                AND a.revoked_by IS NULL;
        RETURN;
    END IF;
    RETURN QUERY
        WITH written AS (
            SELECT a.peer_mentor_id AS mentor, a.badge_definition_id AS definition, a.id,
                   a.earned_on AS day, a.revoked_by
            FROM public.badge_awards a
            WHERE a.peer_mentor_id = ANY (mentors) AND a.badge_definition_id = ANY (definitions)
        ),
        -- Of one award the newest decision is what comes of it.
        waiting AS (
            SELECT DISTINCT ON (w.peer_mentor_id, w.badge_definition_id)
                   w.peer_mentor_id AS mentor, w.badge_definition_id AS definition, w.kind,
                   (w.decision #>> '{after,id}')::uuid AS id,
                   date '1970-01-01' + (w.decision #>> '{after,earned_on}')::int AS day,
                   w.decision #>> '{after,revoked_by}' AS revoked_by
            FROM public.badge_refused_writes w
            WHERE w.peer_mentor_id = ANY (mentors) AND w.badge_definition_id = ANY (definitions)
            ORDER BY w.peer_mentor_id, w.badge_definition_id, w.id DESC
        )
        SELECT mentor, definition, coalesce(written.day, waiting.day)
        FROM written
        FULL JOIN waiting USING (mentor, definition)
        WHERE CASE
            -- Somebody else's row is in the way of what waits.
            WHEN waiting.id IS NULL OR written.id <> waiting.id
            THEN written.id IS NOT NULL AND written.revoked_by IS NULL
            ELSE waiting.kind <> 'withdrawn' AND waiting.revoked_by IS NULL END;
END
$$;

-- A key names the definition of the mentor's organization before the one of every organization, in
-- whatever state it is.
CREATE OR REPLACE FUNCTION badges_private.measure_badges(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE plpgsql STABLE AS $$
#variable_conflict use_variable
DECLARE
    keys text[] := badges_private.names(node -> 'badges');
    enough int := coalesce((node ->> 'at_least')::int, cardinality(keys));
BEGIN
    RETURN QUERY
        WITH named AS MATERIALIZED (
            SELECT DISTINCT ON (m.id, d.key) m.id, d.id AS badge_definition_id
            FROM public.peer_mentors m
            JOIN public.badge_definitions d
                ON d.organization_id = m.organization_id OR d.organization_id IS NULL
            WHERE m.id = ANY (mentors) AND d.key COLLATE "C" = ANY (keys)
            ORDER BY m.id, d.key, d.organization_id NULLS LAST
        ),
        held AS (
            SELECT n.id, a.earned_on AS day
            FROM named n
            JOIN badges_private.decided_awards(
                mentors, ARRAY (SELECT DISTINCT n.badge_definition_id FROM named n)) AS a
                ON a.peer_mentor_id = n.id AND a.badge_definition_id = n.badge_definition_id
        )
        SELECT m.id, at, count(h.day), count(h.day) >= enough,
               (array_agg(h.day ORDER BY h.day))[enough]
        FROM unnest(mentors) AS m (id)
        LEFT JOIN held h ON h.id = m.id
        GROUP BY m.id;
END
$$;

-- So many parts hold; the rows of the parts follow.
CREATE OR REPLACE FUNCTION badges_private.enough_parts(
    mentors uuid[], node jsonb, at text, counts_from date, enough int
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE sql STABLE AS $$
    WITH within AS MATERIALIZED (
        SELECT m.*, m.path = part.path AS is_part
        FROM (
            SELECT listed.node, format('%s.of[%s]', at, listed.place - 1) AS path
            FROM jsonb_array_elements(node -> 'of') WITH ORDINALITY AS listed (node, place)
        ) AS part
        CROSS JOIN LATERAL badges_private.measured(
            mentors, part.node, part.path, counts_from) AS m
    )
    SELECT w.peer_mentor_id, at, count(*) FILTER (WHERE w.holds),
           count(*) FILTER (WHERE w.holds) >= enough,
           (array_agg(w.came_true_on ORDER BY w.came_true_on) FILTER (WHERE w.holds))[enough]
    FROM within w
    WHERE w.is_part
    GROUP BY w.peer_mentor_id
    UNION ALL
    SELECT w.peer_mentor_id, w.path, w.amount, w.holds, w.came_true_on FROM within w
$$;

CREATE OR REPLACE FUNCTION badges_private.measure_all(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE sql STABLE AS $$
    SELECT * FROM badges_private.enough_parts(
        mentors, node, at, counts_from, jsonb_array_length(node -> 'of'))
$$;

CREATE OR REPLACE FUNCTION badges_private.measure_any(
    mentors uuid[], node jsonb, at text, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE sql STABLE AS $$
    SELECT * FROM badges_private.enough_parts(
        mentors, node, at, counts_from, coalesce((node ->> 'at_least')::int, 1))
$$;

-- Plans for a few mentors are made once a session, for that is most of the work then; plans for
-- many each time, by how many there are.
CREATE OR REPLACE FUNCTION badges_private.measure(
    mentors uuid[], criteria jsonb, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, path text, amount bigint, holds boolean, came_true_on date)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp SET jit = off SET plan_cache_mode = auto AS $$
#variable_conflict use_variable
DECLARE
    known uuid[] := ARRAY (SELECT DISTINCT m.id FROM unnest(mentors) AS m (id)
                           WHERE m.id IS NOT NULL);
BEGIN
    PERFORM set_config('plan_cache_mode', CASE WHEN cardinality(known) > 20
        THEN 'force_custom_plan' ELSE 'force_generic_plan' END, true);
    RETURN QUERY SELECT m.* FROM badges_private.measured(known, criteria, '$', counts_from) AS m;
EXCEPTION
    -- No number, or no list, where one has to be, or nodes within nodes without end.
    WHEN data_exception OR program_limit_exceeded THEN
        RETURN;
END
$$;

-- For which of the mentors the criteria hold, and since when; with the highest tier, if there are
-- tiers.
CREATE OR REPLACE FUNCTION badges_private.holders(
    mentors uuid[], criteria jsonb, counts_from date
) RETURNS TABLE (peer_mentor_id uuid, earned_on date, tier text, tier_earned_on date)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH standing AS MATERIALIZED (
        SELECT m.peer_mentor_id, m.path, m.came_true_on
        FROM badges_private.measure(mentors, criteria, counts_from) AS m
        WHERE m.holds
    ),
    highest AS (
        SELECT DISTINCT ON (s.peer_mentor_id) s.peer_mentor_id, tier.step ->> 'name' AS name,
               s.came_true_on
        FROM jsonb_path_query(criteria, 'lax $.tiers[*]') WITH ORDINALITY AS tier (step, place)
        JOIN standing s ON s.path = format('$.tiers[%s]', tier.place - 1)
        ORDER BY s.peer_mentor_id, tier.place DESC
    )
    SELECT s.peer_mentor_id, s.came_true_on, h.name, h.came_true_on
    FROM standing s
    LEFT JOIN highest h ON h.peer_mentor_id = s.peer_mentor_id
    WHERE s.path = '$'
$$;

DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOR ours IN
        SELECT p.oid::regprocedure FROM pg_proc p
        WHERE p.pronamespace = 'badges_private'::regnamespace
            AND (p.proname IN ('period_of', 'gains', 'amounts', 'rolling_amounts', 'names',
                               'reached', 'decided_awards', 'enough_parts', 'measured', 'measure',
                               'holders')
                 OR p.proname LIKE 'measure\_%')
    LOOP
        PERFORM badges_private.close_to_public(ours);
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO badges_worker, badges_api', ours);
    END LOOP;
END
$$;
