-- What applications' users may read themselves, through PostgREST and Realtime: nothing, until
-- `badges migrate --expose` (or a person) calls badges_private.expose(); badges_private.conceal()
-- takes it back.
--
-- Policies call functions as whoever reads, and so `authenticated` may execute those that they call.
-- It may not call them itself, for it has no right on the schema: a policy knows them already.

-- What expose() has given, so that conceal() takes back no more than that. While nothing is exposed
-- it is empty.
CREATE TABLE IF NOT EXISTS badges_private.exposed (given text PRIMARY KEY);

SELECT badges_private.close_to_public('badges_private.exposed'::regclass);

-- All that can be exposed: to read, then to call. What policies and views call comes last.
CREATE OR REPLACE FUNCTION badges_private.exposable() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ARRAY[
        'public.badge_awards', 'public.badge_award_events', 'public.peer_mentor_stats',
        'public.badge_definitions', 'public.peer_mentor_stats_current',
        'public.peer_mentor_streaks_at_risk', 'public.badge_progress(uuid)',
        'public.peer_mentor_streaks(uuid)', 'public.unlocks_since(text)',
        'badges_private.claimed_organization()', 'badges_private.claimed_role()',
        'badges_private.visible_mentors()',
        'badges_private.streaks_now(uuid,integer,date,integer,date,integer,date)']
$$;

-- Take back from `authenticated` all that expose() has given.
CREATE OR REPLACE FUNCTION badges_private.conceal() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY[
        'badge_awards', 'badge_award_events', 'peer_mentor_stats', 'badge_definitions'
    ] LOOP
        EXECUTE format('DROP POLICY IF EXISTS badges_exposed ON public.%I', name);
    END LOOP;
    FOR name IN DELETE FROM badges_private.exposed RETURNING given LOOP
        CONTINUE WHEN to_regrole('authenticated') IS NULL;
        IF name NOT LIKE '%)' AND to_regclass(name) IS NOT NULL THEN
            EXECUTE format('REVOKE SELECT ON %s FROM authenticated', name);
        ELSIF name LIKE '%)' AND to_regprocedure(name) IS NOT NULL THEN
            EXECUTE format('REVOKE EXECUTE ON FUNCTION %s FROM authenticated', name);
        END IF;
    END LOOP;
END
$$;

-- Let `authenticated` read what row-level security leaves of it, and call the functions that answer
-- for it. Safe to call again, and needed again for what a later version adds: this file does that.
CREATE OR REPLACE FUNCTION badges_private.expose() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    name text;
BEGIN
    PERFORM badges_private.conceal();
    IF to_regrole('authenticated') IS NULL THEN
        RAISE EXCEPTION 'the role authenticated is missing, as which PostgREST reads'
            USING ERRCODE = 'undefined_object', HINT = 'CREATE ROLE authenticated NOLOGIN;';
    END IF;
    IF NOT (SELECT relrowsecurity FROM pg_class
            WHERE oid = 'public.badge_definitions'::regclass) THEN
        RAISE EXCEPTION 'row-level security is off on badge_definitions, so everybody would read all'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'ALTER TABLE public.badge_definitions ENABLE ROW LEVEL SECURITY;';
    END IF;
    FOREACH name IN ARRAY ARRAY['badge_awards', 'badge_award_events', 'peer_mentor_stats'] LOOP
        EXECUTE format('CREATE POLICY badges_exposed ON public.%I FOR SELECT TO authenticated USING '
                       '(peer_mentor_id IN (SELECT badges_private.visible_mentors()))', name);
    END LOOP;
    -- Drafts are for those who coordinate.
    CREATE POLICY badges_exposed ON public.badge_definitions FOR SELECT TO authenticated USING (
        (organization_id = (SELECT badges_private.claimed_organization())
            OR organization_id IS NULL
                AND (SELECT badges_private.claimed_organization()) IS NOT NULL)
        AND ((SELECT badges_private.claimed_role()) IN ('admin', 'coordinator')
            OR status <> 'draft' AND (SELECT badges_private.claimed_role()) IS NOT NULL));
    FOREACH name IN ARRAY badges_private.exposable() LOOP
        IF name NOT LIKE '%)' THEN
            CONTINUE WHEN to_regclass(name) IS NULL
                OR has_table_privilege('authenticated', to_regclass(name), 'SELECT');
            EXECUTE format('GRANT SELECT ON %s TO authenticated', name);
        ELSE
            CONTINUE WHEN to_regprocedure(name) IS NULL
                OR has_function_privilege('authenticated', to_regprocedure(name), 'EXECUTE');
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO authenticated', name);
        END IF;
        INSERT INTO badges_private.exposed (given) VALUES (name);
    END LOOP;
END
$$;

DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOREACH ours IN ARRAY ARRAY[
        'badges_private.exposable()', 'badges_private.conceal()', 'badges_private.expose()'
    ]::regprocedure[] LOOP
        PERFORM badges_private.close_to_public(ours);
    END LOOP;
END
$$;

-- Whatever closes something anew comes before this.
DO $$
BEGIN
    IF EXISTS (SELECT FROM badges_private.exposed) THEN
        PERFORM badges_private.expose();
    END IF;
END
$$;
