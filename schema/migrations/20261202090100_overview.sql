-- What is told of the whole service to those who see nobody's data: numbers, kinds and times.

-- The alerts that are open, by kind: since when, and how many.
CREATE OR REPLACE FUNCTION badges_private.alerts_by_kind()
RETURNS TABLE (kind text, since timestamptz, alerts bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT a.kind, min(a.at), count(*) FROM public.badge_alerts a
    WHERE a.resolved_at IS NULL GROUP BY a.kind ORDER BY a.kind
$$;

SELECT badges_private.close_to_public('badges_private.alerts_by_kind()'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.alerts_by_kind() TO badges_api;

-- How many definitions there are in each status; of those that are not retired, how many are raw, and
-- of the active ones how many the worker has set aside as invalid.
CREATE OR REPLACE FUNCTION badges_private.definition_states(
    OUT active bigint, OUT draft bigint, OUT retired bigint, OUT raw bigint, OUT invalid bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FILTER (WHERE d.status = 'active'),
           count(*) FILTER (WHERE d.status = 'draft'),
           count(*) FILTER (WHERE d.status = 'retired'),
           count(*) FILTER (WHERE d.status <> 'retired' AND d.criteria ->> 'type' = 'raw'),
           cardinality(badges_private.set_aside())
    FROM public.badge_definitions d
$$;

SELECT badges_private.close_to_public('badges_private.definition_states()'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.definition_states() TO badges_api;

-- How many decisions wait to be written.
CREATE OR REPLACE FUNCTION badges_private.refused_writes_waiting() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM public.badge_refused_writes
$$;

SELECT badges_private.close_to_public('badges_private.refused_writes_waiting()'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.refused_writes_waiting() TO badges_api;

-- How many awards came into force since then, by minute.
CREATE OR REPLACE FUNCTION badges_private.unlocks_by_minute(since timestamptz)
RETURNS TABLE (minute timestamptz, unlocks bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT date_trunc('minute', e.at), count(*) FROM public.badge_award_events e
    WHERE e.at >= since AND e.kind <> 'revoked' GROUP BY 1 ORDER BY 1
$$;

SELECT badges_private.close_to_public('badges_private.unlocks_by_minute(timestamptz)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.unlocks_by_minute(timestamptz) TO badges_api;

-- When each rule that is active, and has awarded before, awarded last: a time for each, without its
-- name. What people gave by hand does not count.
CREATE OR REPLACE FUNCTION badges_private.newest_awards_of_rules() RETURNS SETOF timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT newest.at FROM public.badge_definitions d
    CROSS JOIN LATERAL (
        SELECT e.at FROM public.badge_award_events e
        WHERE e.badge_definition_id = d.id AND e.kind = 'granted' AND e.source <> 'admin'
        ORDER BY e.at DESC LIMIT 1) AS newest
    WHERE d.status = 'active' ORDER BY 1
$$;

SELECT badges_private.close_to_public('badges_private.newest_awards_of_rules()'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.newest_awards_of_rules() TO badges_api;

-- How long the newest awards took, from the commit of the row that caused them: of the newest 10,000
-- events, those that a row caused since then. Seconds, null where there are none.
CREATE OR REPLACE FUNCTION badges_private.award_seconds(
    since timestamptz, OUT p50 float8, OUT p95 float8, OUT events bigint)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH newest AS (
        SELECT e.at, e.caused_at FROM public.badge_award_events e
        WHERE e.at >= since ORDER BY e.at DESC LIMIT 10000
    ), took AS (
        SELECT greatest(extract(epoch FROM at - caused_at)::float8, 0) AS seconds FROM newest
        WHERE caused_at IS NOT NULL
    )
    SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds),
           percentile_cont(0.95) WITHIN GROUP (ORDER BY seconds), count(*)
    FROM took
$$;

SELECT badges_private.close_to_public('badges_private.award_seconds(timestamptz)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.award_seconds(timestamptz) TO badges_api;
