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
