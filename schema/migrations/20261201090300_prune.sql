-- When a partition took up a version: by that is told how long the others will take. Null of those
-- that were taken up before the column was there.
ALTER TABLE public.badge_rule_positions ADD COLUMN IF NOT EXISTS at timestamptz;

ALTER TABLE public.badge_rule_positions ALTER COLUMN at SET DEFAULT clock_timestamp();

GRANT EXECUTE ON FUNCTION badges_private.backfill(text) TO badges_worker;

-- How many seconds lay between one partition of a log and the next in having taken up all newest
-- versions of definitions and time zones; null until two have. How long nobody worked before the
-- first of them does not count.
CREATE OR REPLACE FUNCTION badges_private.backfill_pace(of_log text) RETURNS double precision
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH places AS (
        SELECT partition FROM public.badge_log_positions WHERE log_id = of_log
    ), newest AS (
        (SELECT DISTINCT ON (id) 'definition' AS kind, id, version
         FROM public.badge_definition_versions ORDER BY id, version DESC)
        UNION ALL
        (SELECT DISTINCT ON (id) 'organization', id, version
         FROM public.organization_versions ORDER BY id, version DESC)
    ), waited_for AS (
        SELECT n.kind, n.id, n.version FROM newest n
        WHERE EXISTS (
            SELECT FROM places p WHERE NOT EXISTS (
                SELECT FROM public.badge_rule_positions r
                WHERE r.log_id = of_log AND r.partition = p.partition
                    AND r.kind = n.kind AND r.id = n.id AND r.version >= n.version))
    ), done AS (
        SELECT p.partition, max(r.at) AS at
        FROM places p CROSS JOIN waited_for w
        LEFT JOIN public.badge_rule_positions r
            ON r.log_id = of_log AND r.partition = p.partition
            AND r.kind = w.kind AND r.id = w.id AND r.version >= w.version
        GROUP BY p.partition HAVING count(DISTINCT (w.kind, w.id)) FILTER (WHERE r.id IS NULL) = 0
    )
    SELECT extract(epoch FROM max(at) - min(at)) / (count(at) - 1) FROM done HAVING count(at) > 1
$$;

SELECT badges_private.close_to_public('badges_private.backfill_pace(text)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.backfill_pace(text) TO badges_api, badges_worker;
