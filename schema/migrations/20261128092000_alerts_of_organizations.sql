-- An alert may name mentors, their rows and badges. The api sees those of the organization of its
-- claims alone, and those that name nobody.

-- Whether every id in a text is of that organization, or of a badge for everybody. What is not
-- there, or not there any more, may be anybody's.
CREATE OR REPLACE FUNCTION badges_private.names_nobody_else(organization uuid, said text)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH named AS (
        SELECT DISTINCT found[1]::uuid AS id
        FROM regexp_matches(said, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'gi') AS found
    ), mentors AS (
        SELECT id, id AS mentor FROM named
        UNION ALL
        SELECT a.id, a.peer_mentor_id FROM public.badge_awards a JOIN named n ON n.id = a.id
        UNION ALL
        SELECT a.id, a.peer_mentor_id FROM public.activities a JOIN named n ON n.id = a.id
        UNION ALL
        SELECT t.id, t.peer_mentor_id FROM public.training_completions t
        JOIN named n ON n.id = t.id
        UNION ALL
        SELECT p.id, p.peer_mentor_id FROM public.mentor_pauses p JOIN named n ON n.id = p.id
    ), ours AS (
        SELECT organization AS id
        UNION ALL
        SELECT d.id FROM public.badge_definitions d JOIN named n ON n.id = d.id
        WHERE d.organization_id IS NULL OR d.organization_id = organization
        UNION ALL
        SELECT s.id FROM mentors s JOIN public.peer_mentors m ON m.id = s.mentor
        WHERE m.organization_id = organization
    )
    SELECT NOT EXISTS (SELECT FROM named n WHERE NOT EXISTS (SELECT FROM ours WHERE id = n.id))
$$;

SELECT badges_private.close_to_public(
    'badges_private.names_nobody_else(uuid, text)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.names_nobody_else(uuid, text) TO badges_api;

DROP POLICY IF EXISTS badges_api_organization ON public.badge_alerts;

CREATE POLICY badges_api_organization ON public.badge_alerts
    FOR SELECT TO badges_api USING (badges_private.names_nobody_else(
        (SELECT badges_private.claimed_organization()), detail::text));
