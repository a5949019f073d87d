-- The api's role reads nothing about people of other organizations: neither what an application's
-- trigger says of them in an alert, nor what waited to be written when a log went live.

-- Of every id in a text whose it is: an organization's, or everybody's. Each may be an organization's
-- own; what is not there, or not there any more, is nobody else's that is known.
CREATE OR REPLACE FUNCTION badges_private.owners_named(said text)
RETURNS TABLE (id uuid, organization uuid, everybodys boolean)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH named AS (
        SELECT DISTINCT found[1]::uuid AS id
        FROM regexp_matches(said, '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}', 'gi') AS found
    ), mentors AS (
        SELECT n.id, n.id AS mentor FROM named n
        UNION ALL
        SELECT a.id, a.peer_mentor_id FROM public.badge_awards a JOIN named n ON n.id = a.id
        UNION ALL
        SELECT a.id, a.peer_mentor_id FROM public.activities a JOIN named n ON n.id = a.id
        UNION ALL
        SELECT t.id, t.peer_mentor_id FROM public.training_completions t
        JOIN named n ON n.id = t.id
        UNION ALL
        SELECT p.id, p.peer_mentor_id FROM public.mentor_pauses p JOIN named n ON n.id = p.id
    )
    SELECT n.id, n.id, false FROM named n
    UNION ALL
    SELECT d.id, d.organization_id, d.organization_id IS NULL
    FROM public.badge_definitions d JOIN named n ON n.id = d.id
    UNION ALL
    SELECT s.id, m.organization_id, false
    FROM mentors s JOIN public.peer_mentors m ON m.id = s.mentor
$$;

SELECT badges_private.close_to_public('badges_private.owners_named(text)'::regprocedure);

-- Whether every id in a text is of that organization, or of a badge for everybody.
CREATE OR REPLACE FUNCTION badges_private.names_nobody_else(organization uuid, said text)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT NOT EXISTS (
        SELECT FROM badges_private.owners_named(said) o
        GROUP BY o.id
        HAVING NOT bool_or(
            o.everybodys OR coalesce(o.organization = names_nobody_else.organization, false)))
$$;

-- Whether an id in a text is of that organization, badges for everybody aside.
CREATE OR REPLACE FUNCTION badges_private.names_somebody_of(organization uuid, said text)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM badges_private.owners_named(said) o
        WHERE o.organization = names_somebody_of.organization)
$$;

SELECT badges_private.close_to_public(
    'badges_private.names_somebody_of(uuid, text)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.names_somebody_of(uuid, text) TO badges_api;

-- These kinds repeat what others have written: an error of a trigger, a row, a name. Whom that is
-- about no text tells, so they have to be about the organization itself.
DROP POLICY IF EXISTS badges_api_organization ON public.badge_alerts;

CREATE POLICY badges_api_organization ON public.badge_alerts
    FOR SELECT TO badges_api USING (
        badges_private.names_nobody_else(
            (SELECT badges_private.claimed_organization()), detail::text)
        AND (kind <> ALL ('{write_refused, turn_stalled, dead_letters, partition_failed,
                            connector_failed, time_zone}')
             OR badges_private.names_somebody_of(
                 (SELECT badges_private.claimed_organization()), detail::text)));

-- All but badge_logs.found: awards of mentors of every organization.
REVOKE SELECT ON public.badge_logs FROM badges_api;

GRANT SELECT (log_id, generation, topic, slot, connector, partitions, system_identifier, timeline,
              state, start_lsn, starts, reason, created_at, live_at, closed_at, kept, columns,
              fingerprint, stand_in)
    ON public.badge_logs TO badges_api;

-- Whether an alert of these kinds is open whose subject is like that, also for those who may not
-- read what it says.
CREATE OR REPLACE FUNCTION badges_private.is_told(kinds text[], subjects text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM public.badge_alerts
        WHERE resolved_at IS NULL AND kind = ANY (kinds)
            AND coalesce(detail ->> 'subject', '') LIKE subjects)
$$;

SELECT badges_private.close_to_public('badges_private.is_told(text[], text)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.is_told(text[], text) TO badges_api;
