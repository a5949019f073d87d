-- The three database roles, and the schema for what is nobody's business but ours.
--
--   badges_worker   decides and writes awards
--   badges_api      reads one organization, awards by hand
--   badges_connect  reads the published columns (REPLICATION)
--
-- Roles belong to the whole cluster: another database's migration may create them at the same
-- moment. They cannot log in until `badges migrate` (or you) gives them a password.

DO $$
DECLARE
    wanted text;
BEGIN
    FOREACH wanted IN ARRAY ARRAY['badges_worker', 'badges_api', 'badges_connect'] LOOP
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
        BEGIN
            EXECUTE format(
                'CREATE ROLE %I NOLOGIN %s', wanted,
                CASE wanted WHEN 'badges_connect' THEN 'REPLICATION' ELSE '' END
            );
        EXCEPTION
            WHEN duplicate_object OR unique_violation THEN
                NULL;
            WHEN insufficient_privilege THEN
                RAISE EXCEPTION 'role % is missing and % may not create it', wanted, current_user
                    USING ERRCODE = 'insufficient_privilege',
                          HINT = format(
                              'As a superuser run: CREATE ROLE %I NOLOGIN%s;', wanted,
                              CASE wanted WHEN 'badges_connect' THEN ' REPLICATION' ELSE '' END
                          );
        END;
    END LOOP;
    IF NOT (SELECT rolreplication FROM pg_roles WHERE rolname = 'badges_connect') THEN
        RAISE EXCEPTION 'role badges_connect lacks REPLICATION'
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'As a superuser run: ALTER ROLE badges_connect REPLICATION;';
    END IF;
END
$$;

CREATE SCHEMA IF NOT EXISTS badges_private;

REVOKE ALL ON SCHEMA badges_private FROM PUBLIC;

GRANT USAGE ON SCHEMA public, badges_private TO badges_worker, badges_api, badges_connect;

-- Everybody's rights on one table or function end here: PUBLIC's, and those that Supabase's default
-- privileges hand to anon and authenticated on everything new. A table gets row-level security too,
-- and the sequence of its identity column goes with it.
CREATE OR REPLACE FUNCTION badges_private.close_to_public(target regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    closed regclass;
    grantees text;
BEGIN
    SELECT string_agg(quote_ident(rolname), ', ') INTO grantees
    FROM pg_roles WHERE rolname IN ('anon', 'authenticated');
    IF (SELECT relkind IN ('r', 'p') FROM pg_class WHERE oid = target) THEN
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    END IF;
    FOR closed IN
        SELECT target
        UNION ALL
        SELECT d.objid::regclass FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
        WHERE d.refobjid = target AND d.classid = 'pg_class'::regclass AND c.relkind = 'S'
    LOOP
        EXECUTE format('REVOKE ALL ON TABLE %s FROM %s', closed,
                       concat_ws(', ', 'PUBLIC', grantees));
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION badges_private.close_to_public(target regprocedure) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    grantees text;
BEGIN
    SELECT string_agg(quote_ident(rolname), ', ') INTO grantees
    FROM pg_roles WHERE rolname IN ('anon', 'authenticated');
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM %s', target,
                   concat_ws(', ', 'PUBLIC', grantees));
END
$$;

-- The role that acts: a SECURITY DEFINER function changes current_user, but neither of these.
CREATE OR REPLACE FUNCTION badges_private.acting_role() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE current_setting('role') WHEN 'none' THEN session_user::text
                                        ELSE current_setting('role') END
$$;

-- The JWT's sub as PostgREST and `badges api` hand it down, or null.
CREATE OR REPLACE FUNCTION badges_private.claimed_sub() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN nullif(nullif(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub', '');
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;

-- The organization that the request may see: badges.organization, or the JWT's claim, or null.
CREATE OR REPLACE FUNCTION badges_private.claimed_organization() RETURNS uuid
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(
        nullif(current_setting('badges.organization', true), ''),
        nullif(current_setting('request.jwt.claims', true), '')::jsonb
            #>> '{app_metadata,organization_id}'
    )::uuid;
EXCEPTION
    WHEN invalid_text_representation THEN
        RETURN NULL;
END
$$;

-- Who acts by hand. 'rule' and 'audit' are no names for people.
CREATE OR REPLACE FUNCTION badges_private.person() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN name IN ('rule', 'audit') THEN format('"%s"', name) ELSE name END
    FROM coalesce(badges_private.claimed_sub(), session_user::text) AS name
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;
