-- Who asks, and whom they may see: what policies, functions of the api and PostgREST's callers go by.

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

DO $$
DECLARE
    ours regprocedure;
BEGIN
    FOREACH ours IN ARRAY ARRAY[
        'badges_private.claim_at(jsonb, text)', 'badges_private.claimed(text)',
        'badges_private.claimed_organization()', 'badges_private.claimed_role()',
        'badges_private.visible_mentors()'
    ]::regprocedure[] LOOP
        PERFORM badges_private.close_to_public(ours);
    END LOOP;
END
$$;

GRANT EXECUTE ON FUNCTION badges_private.claimed_role(), badges_private.visible_mentors()
    TO badges_api;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;
