-- What the api may write, for an admin of an organization: its own definitions, and awards by hand.
-- The api asks for the role before it begins; here the database asks for it too.

-- Definitions: neither the organization nor the id ever changes, and the version is a trigger's.
GRANT INSERT (id, organization_id, key, name, description, icon, criteria, counts_from, revocable,
              status)
    ON public.badge_definitions TO badges_api;

GRANT UPDATE (key, name, description, icon, criteria, counts_from, revocable, status)
    ON public.badge_definitions TO badges_api;

DROP POLICY IF EXISTS badges_api_insert ON public.badge_definitions;

CREATE POLICY badges_api_insert ON public.badge_definitions
    FOR INSERT TO badges_api WITH CHECK (
        organization_id = (SELECT badges_private.claimed_organization())
        AND (SELECT badges_private.claimed_role()) = 'admin');

DROP POLICY IF EXISTS badges_api_update ON public.badge_definitions;

CREATE POLICY badges_api_update ON public.badge_definitions
    FOR UPDATE TO badges_api
    USING (organization_id = (SELECT badges_private.claimed_organization())
           AND (SELECT badges_private.claimed_role()) = 'admin')
    WITH CHECK (organization_id = (SELECT badges_private.claimed_organization())
                AND (SELECT badges_private.claimed_role()) = 'admin');

-- Awards: the instant of a revocation alone; a trigger says who it was.
GRANT UPDATE (revoked_at) ON public.badge_awards TO badges_api;

DROP POLICY IF EXISTS badges_api_update ON public.badge_awards;

CREATE POLICY badges_api_update ON public.badge_awards
    FOR UPDATE TO badges_api
    USING ((SELECT badges_private.claimed_role()) = 'admin' AND EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

-- The role that calls may write this name; null means the person who acts. award_badge begins with
-- it, and through the api only an admin awards.
CREATE OR REPLACE FUNCTION badges_private.awarder(named text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF badges_private.acting_role() = 'badges_api'
        AND badges_private.claimed_role() IS DISTINCT FROM 'admin' THEN
        RAISE EXCEPTION 'only an admin awards by hand'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'request.jwt.claims has to name the role admin in app_metadata.';
    END IF;
    IF named = 'rule' AND badges_private.writer() NOT IN ('rule', 'audit') THEN
        RAISE EXCEPTION 'only the worker awards as ''rule'''
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Leave awarded_by out, or give the name of the person who awards.';
    END IF;
    RETURN coalesce(nullif(named, ''), badges_private.person());
END
$$;

-- Which request made which definition, for a day: a client that lost the answer asks again. Keys and
-- bodies are kept as digests alone.
CREATE TABLE IF NOT EXISTS badges_private.idempotency_keys (
    id bytea PRIMARY KEY,
    request bytea NOT NULL,
    badge_definition_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);

CREATE INDEX IF NOT EXISTS idempotency_keys_at_idx ON badges_private.idempotency_keys (at);

SELECT badges_private.close_to_public('badges_private.idempotency_keys'::regclass);

-- The definition that the caller's first request with this key made, and whether this one is the
-- same; for the first request itself the definition that it is about to make. Who comes while the
-- first is not over waits for it. A key counts for 24 hours, and no longer than its definition is
-- there; of those that are over each call removes some.
CREATE OR REPLACE FUNCTION badges_private.first_request(
    key text, request bytea, definition uuid
) RETURNS TABLE (badge_definition_id uuid, same boolean)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    digest bytea := sha256(convert_to(jsonb_build_array(
        badges_private.claimed_organization(), badges_private.claimed_sub(),
        first_request.key)::text, 'UTF8'));
    oldest timestamptz := now() - interval '24 hours';
BEGIN
    DELETE FROM badges_private.idempotency_keys k
    WHERE k.id = digest AND (k.at < oldest OR NOT EXISTS (
        SELECT FROM public.badge_definitions d
        WHERE d.id = k.badge_definition_id
            AND d.organization_id = badges_private.claimed_organization()));
    -- Only after that: who holds rows of others must not wait for one.
    DELETE FROM badges_private.idempotency_keys k USING (
        SELECT o.id FROM badges_private.idempotency_keys o
        WHERE o.at < oldest ORDER BY o.at LIMIT 100 FOR UPDATE SKIP LOCKED
    ) AS over WHERE k.id = over.id;
    INSERT INTO badges_private.idempotency_keys AS k (id, request, badge_definition_id)
    VALUES (digest, first_request.request, first_request.definition)
    ON CONFLICT (id) DO NOTHING;
    RETURN QUERY
        SELECT k.badge_definition_id, k.request = first_request.request
        FROM badges_private.idempotency_keys k WHERE k.id = digest;
END
$$;

SELECT badges_private.close_to_public(
    'badges_private.first_request(text, bytea, uuid)'::regprocedure);

GRANT EXECUTE ON FUNCTION badges_private.first_request(text, bytea, uuid) TO badges_api;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;
