-- What applications' users may read themselves, through PostgREST and Realtime: nothing, until
-- `badges migrate --expose` (or a person) calls badges_private.expose(); badges_private.conceal()
-- takes it back.
--
-- Policies call functions as whoever reads, and so `authenticated` may execute those that they call.
-- It may not call them itself, for it has no right on the schema: a policy knows them already.

-- Where a JWT says who somebody is: dotted paths, as in BADGES_JWT_MENTOR_CLAIM and the others.
CREATE TABLE IF NOT EXISTS badges_private.claim_paths (
    claim text PRIMARY KEY CHECK (claim IN ('mentor', 'organization', 'role')),
    path text NOT NULL CHECK (path <> '')
);

SELECT badges_private.close_to_public('badges_private.claim_paths'::regclass);

INSERT INTO badges_private.claim_paths (claim, path) VALUES
    ('mentor', 'sub'),
    ('organization', 'app_metadata.organization_id'),
    ('role', 'app_metadata.role')
ON CONFLICT DO NOTHING;

-- What a dotted path leads to in some claims, as text; a name may have dots of its own.
CREATE OR REPLACE FUNCTION badges_private.claim_at(claims jsonb, path text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN claims ? path THEN claims ->> path
        WHEN strpos(path, '.') > 0 AND jsonb_typeof(claims -> split_part(path, '.', 1)) = 'object'
            THEN badges_private.claim_at(
                claims -> split_part(path, '.', 1), substr(path, strpos(path, '.') + 1))
    END
$$;

-- One of the three claims of the request, or null. `badges api` has read the token itself, and hands
-- down what it says by the names that Supabase gives.
CREATE OR REPLACE FUNCTION badges_private.claimed(wanted text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN nullif(badges_private.claim_at(
        nullif(current_setting('request.jwt.claims', true), '')::jsonb,
        CASE WHEN badges_private.acting_role() <> 'badges_api'
            THEN (SELECT p.path FROM badges_private.claim_paths p WHERE p.claim = wanted)
            WHEN wanted = 'mentor' THEN 'sub'
            WHEN wanted = 'organization' THEN 'app_metadata.organization_id'
            ELSE 'app_metadata.role' END), '');
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;

-- The organization that the request may see: badges.organization, or the JWT's claim, or null.
CREATE OR REPLACE FUNCTION badges_private.claimed_organization() RETURNS uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(
        nullif(current_setting('badges.organization', true), ''),
        badges_private.claimed('organization'))::uuid;
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;

-- The role that the JWT names, or null.
CREATE OR REPLACE FUNCTION badges_private.claimed_role() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT role FROM badges_private.claimed('role') AS role
    WHERE role IN ('admin', 'coordinator', 'mentor')
$$;

-- The mentors of whom the request may see everything: of its organization all for who coordinates,
-- else the mentor alone whom the JWT names. The application's own policies do not matter here.
CREATE OR REPLACE FUNCTION badges_private.visible_mentors() RETURNS SETOF uuid
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    role text := badges_private.claimed_role();
    organization uuid := badges_private.claimed_organization();
BEGIN
    IF role IN ('admin', 'coordinator') THEN
        RETURN QUERY SELECT m.id FROM public.peer_mentors m WHERE m.organization_id = organization;
    ELSIF role = 'mentor' THEN
        RETURN QUERY SELECT m.id FROM public.peer_mentors m
            WHERE m.organization_id = organization
                AND m.id = badges_private.claimed('mentor')::uuid;
    END IF;
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN;
END
$$;

-- Whether somebody may ask about a mentor: by the claims, or because no policy narrows what they read.
CREATE OR REPLACE FUNCTION badges_private.may_ask(mentor uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT mentor IN (SELECT badges_private.visible_mentors()) OR EXISTS (
        SELECT FROM pg_roles r, pg_class c
        WHERE r.rolname = badges_private.acting_role()
            AND c.oid = 'public.peer_mentors'::regclass
            AND (r.rolsuper OR r.rolbypassrls OR pg_has_role(r.oid, c.relowner, 'USAGE')))
$$;

-- What PostgREST calls answers by the claims alone, as the API does: whoever may ask needs no right
-- on the application's tables, and no policy of the application takes a part of an answer away.

CREATE OR REPLACE FUNCTION public.badge_progress(peer_mentor_id uuid)
RETURNS TABLE (
    badge_definition_id uuid, key text, name text, criteria jsonb, counts_from date, held boolean,
    tier text, amounts jsonb, at_risk jsonb
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.* FROM badges_private.progress(badge_progress.peer_mentor_id, NULL, NULL) AS p
    WHERE badges_private.may_ask(badge_progress.peer_mentor_id) AND p.amounts IS NOT NULL
$$;

CREATE OR REPLACE FUNCTION public.peer_mentor_streaks(peer_mentor_id uuid)
RETURNS TABLE (period text, longest int, current int, last_on date, at_risk_until date)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT p.period, coalesce(r.longest, 0), coalesce(r.current, 0), r.last_on, r.at_risk_until
    FROM public.peer_mentors m
    CROSS JOIN unnest(ARRAY['day', 'week', 'month']) WITH ORDINALITY AS p (period, place)
    LEFT JOIN LATERAL badges_private.runs(
        m.id, p.period, 'count', 1, NULL, NULL, 0, badges_private.today_of(m.id)) AS r ON true
    WHERE m.id = peer_mentor_streaks.peer_mentor_id AND badges_private.may_ask(m.id)
    ORDER BY p.place
$$;

-- The same of the views: their rows are those of peer_mentor_stats that the reader may see, and what
-- else they need of a mentor, functions tell.

-- Whether every period after that of `last_on` and before that of `today` has a paused day.
CREATE OR REPLACE FUNCTION badges_private.goes_on(mentor uuid, period text, last_on date, today date)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT badges_private.missed_periods(
        badges_private.period_of(period, last_on) + 1, badges_private.period_of(period, today),
        badges_private.paused_periods(mentor, period)) = 0
$$;

-- Whether the period of a date has a paused day.
CREATE OR REPLACE FUNCTION badges_private.is_paused(mentor uuid, period text, day date)
RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT badges_private.paused_periods(mentor, period) @> badges_private.period_of(period, day)
$$;

CREATE OR REPLACE VIEW public.peer_mentor_stats_current WITH (security_invoker = true) AS
SELECT s.peer_mentor_id, clock.today, s.activity_count, s.minutes_total, s.active_days,
       s.counts_by_type, s.training_count, s.first_activity_on, s.last_activity_on,
       s.day_streak_longest, s.day_streak_length, s.day_streak_last_on, now_on.day_streak_current,
       s.week_streak_longest, s.week_streak_length, s.week_streak_last_on,
       now_on.week_streak_current,
       s.month_streak_longest, s.month_streak_length, s.month_streak_last_on,
       now_on.month_streak_current,
       s.updated_at
FROM public.peer_mentor_stats s
CROSS JOIN LATERAL (SELECT badges_private.today_of(s.peer_mentor_id) AS today) AS clock
CROSS JOIN LATERAL (
    SELECT max(run.held) FILTER (WHERE run.period = 'day') AS day_streak_current,
           max(run.held) FILTER (WHERE run.period = 'week') AS week_streak_current,
           max(run.held) FILTER (WHERE run.period = 'month') AS month_streak_current
    FROM (
        SELECT newest.period, CASE
            WHEN newest.last_on IS NULL THEN 0
            WHEN newest.last_on
                    >= (date_trunc(newest.period, clock.today::timestamp) - newest.step)::date
                OR badges_private.goes_on(
                    s.peer_mentor_id, newest.period, newest.last_on, clock.today)
                THEN newest.length
            ELSE 0 END AS held
        FROM (VALUES
            ('day', interval '1 day', s.day_streak_length, s.day_streak_last_on),
            ('week', interval '1 week', s.week_streak_length, s.week_streak_last_on),
            ('month', interval '1 month', s.month_streak_length, s.month_streak_last_on)
        ) AS newest (period, step, length, last_on)
    ) AS run
) AS now_on;

CREATE OR REPLACE VIEW public.peer_mentor_streaks_at_risk WITH (security_invoker = true) AS
SELECT s.peer_mentor_id, run.period, run.length,
       (date_trunc(run.period, s.today::timestamp) + run.step - interval '1 day')::date AS ends_on
FROM public.peer_mentor_stats_current s
CROSS JOIN LATERAL (VALUES
    ('day', interval '1 day', s.day_streak_current, s.day_streak_last_on),
    ('week', interval '1 week', s.week_streak_current, s.week_streak_last_on),
    ('month', interval '1 month', s.month_streak_current, s.month_streak_last_on)
) AS run (period, step, length, last_on)
WHERE run.length > 0 AND run.last_on < date_trunc(run.period, s.today::timestamp)::date
    AND NOT badges_private.is_paused(s.peer_mentor_id, run.period, s.today);

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
        'badges_private.visible_mentors()', 'badges_private.today_of(uuid)',
        'badges_private.goes_on(uuid, text, date, date)',
        'badges_private.is_paused(uuid, text, date)']
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
        'badges_private.claim_at(jsonb, text)', 'badges_private.claimed(text)',
        'badges_private.claimed_organization()', 'badges_private.claimed_role()',
        'badges_private.visible_mentors()', 'badges_private.may_ask(uuid)',
        'badges_private.goes_on(uuid, text, date, date)',
        'badges_private.is_paused(uuid, text, date)', 'badges_private.exposable()',
        'badges_private.conceal()', 'badges_private.expose()'
    ]::regprocedure[] LOOP
        PERFORM badges_private.close_to_public(ours);
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION badges_private.claimed_role() TO badges_api;

-- Who reads the views.
GRANT EXECUTE ON FUNCTION badges_private.today_of(uuid),
    badges_private.goes_on(uuid, text, date, date), badges_private.is_paused(uuid, text, date)
    TO badges_worker, badges_api;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
        GRANT EXECUTE ON FUNCTION badges_private.today_of(uuid),
            badges_private.goes_on(uuid, text, date, date),
            badges_private.is_paused(uuid, text, date)
            TO service_role;
    END IF;
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
