-- Up to which commit time the stream has decided. A worker notes it each second or so, from the
-- connector's heartbeats: they pass the log in commit order like everything else.

ALTER TABLE public.badge_logs ADD COLUMN IF NOT EXISTS decided_until timestamptz;

GRANT UPDATE (decided_until) ON public.badge_logs TO badges_worker;

GRANT SELECT (decided_until) ON public.badge_logs TO badges_api;

-- Everything committed up to then is decided; null while no log is live, or nothing is known yet.
-- For callers who may not read badge_logs, which tells nothing else of it.
CREATE OR REPLACE FUNCTION badges_private.as_of() RETURNS timestamptz
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT decided_until FROM public.badge_logs
    WHERE state = 'live' ORDER BY generation DESC LIMIT 1
$$;

SELECT badges_private.close_to_public('badges_private.as_of()'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.as_of() TO badges_api;

-- The kinds of the alerts that are open, also for those who may not read what they say.
CREATE OR REPLACE FUNCTION badges_private.open_alerts() RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT DISTINCT kind FROM public.badge_alerts WHERE resolved_at IS NULL ORDER BY kind
$$;

SELECT badges_private.close_to_public('badges_private.open_alerts()'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.open_alerts() TO badges_api;

-- How far the newest versions of definitions and time zones are taken up in a log: of how many one
-- partition or more has not taken up the newest, the partitions that have taken up all, and since
-- when the oldest of them waits. Of every organization: it names none.
CREATE OR REPLACE FUNCTION badges_private.backfill(
    of_log text, OUT definitions bigint, OUT partitions_done bigint, OUT since timestamptz)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH newest AS (
        SELECT DISTINCT ON (id) 'definition' AS kind, id, version, saved_at
        FROM public.badge_definition_versions ORDER BY id, version DESC
    ), zones AS (
        SELECT DISTINCT ON (id) 'organization' AS kind, id, version, saved_at
        FROM public.organization_versions ORDER BY id, version DESC
    ), missing AS (
        SELECT p.partition, n.kind, n.id, n.saved_at
        FROM (SELECT * FROM newest UNION ALL SELECT * FROM zones) AS n
        CROSS JOIN public.badge_log_positions p
        WHERE p.log_id = of_log AND NOT EXISTS (
            SELECT FROM public.badge_rule_positions r
            WHERE r.log_id = of_log AND r.partition = p.partition
                AND r.kind = n.kind AND r.id = n.id AND r.version >= n.version)
    )
    SELECT count(DISTINCT (kind, id)),
           (SELECT count(*) FROM public.badge_log_positions WHERE log_id = of_log)
               - count(DISTINCT partition),
           min(saved_at)
    FROM missing
$$;

SELECT badges_private.close_to_public('badges_private.backfill(text)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.backfill(text) TO badges_api;
