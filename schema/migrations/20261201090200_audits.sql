-- Audits: one row for each run of `badges audit`, which compares what is recorded with what the source
-- tables say. It names nobody, so it may be kept; `badges prune` removes it in the end.
--
-- A run writes its row as it begins and again as it ends, however that is: a row without finished_at is
-- of one that still runs, or whose process was killed.

CREATE TABLE IF NOT EXISTS public.badge_audits (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    organization_id uuid,
    since date,
    checked jsonb,
    findings jsonb,
    explained int,
    repaired int,
    ok boolean,
    error text
);

SELECT badges_private.close_to_public('public.badge_audits'::regclass);

CREATE INDEX IF NOT EXISTS badge_audits_finished_at_idx ON public.badge_audits (finished_at);

-- The newest audit of everything that came to an end, for metrics: whoever may execute this learns
-- numbers alone.
CREATE OR REPLACE FUNCTION badges_private.last_audit()
RETURNS TABLE (finished_at timestamptz, findings jsonb)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp ROWS 1 AS $$
    SELECT a.finished_at, a.findings FROM public.badge_audits a
    WHERE a.ok IS NOT NULL AND a.organization_id IS NULL AND a.since IS NULL
    ORDER BY a.finished_at DESC LIMIT 1
$$;

SELECT badges_private.close_to_public('badges_private.last_audit()'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.last_audit() TO badges_api;

-- The date of an award that is being written: as given, or that of the instant where only the
-- instant is new. The worker of today gives both, and one date may begin at two instants; so does an
-- audit that mends what the worker wrote.
CREATE OR REPLACE FUNCTION badges_private.date_of_award(
    day date, instant timestamptz, day_before date, instant_before timestamptz, writer text,
    zone text
) RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN day IS NOT NULL AND (instant IS NULL OR day IS DISTINCT FROM day_before
                                  OR instant IS NOT DISTINCT FROM instant_before) THEN day
        WHEN writer IN ('rule', 'audit') AND badges_private.may_begin(day, instant) THEN day
        ELSE (instant AT TIME ZONE zone)::date
    END
$$;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
        REVOKE ALL ON public.badge_audits FROM service_role;
        GRANT SELECT ON public.badge_audits TO service_role;
    END IF;
END
$$;
