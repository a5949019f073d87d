-- What was decided and Postgres refuses to write waits here: an application's trigger raises, say, or
-- somebody holds a lock. It is tried again until it is accepted; the decision stands meanwhile.
--
-- Of one mentor and definition the rows are written in the order of their ids; all that is about a
-- mentor comes after the mentor's departure. Only the first of them is tried: tries and last_at say
-- how often and when, and sqlstate is null where a row has only waited for those before it so far.
--
--   kind        granted, promoted, revoked, restored or withdrawn: a decision about an award;
--               stats: the mentor's newest row of peer_mentor_stats;
--               departed: what the rule wrote for a mentor before the mentor's delete goes
--   decision    what is to be written, whole. Of type json: text that the log was given by a stranger
--               may be of a kind that jsonb refuses
--   refused_by  the trigger, function, constraint or lock, where that can be told
--
-- There is no foreign key, for that would wait for the very lock that may be the reason: triggers
-- take along what is about a mentor or a definition that is deleted.

CREATE TABLE IF NOT EXISTS public.badge_refused_writes (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    log_id text NOT NULL,
    partition int NOT NULL,
    kind text NOT NULL CHECK (kind IN (
        'granted', 'promoted', 'revoked', 'restored', 'withdrawn', 'stats', 'departed')),
    peer_mentor_id uuid NOT NULL,
    badge_definition_id uuid,
    badge_award_id uuid,
    decision json NOT NULL,
    sqlstate text,
    message text NOT NULL,
    refused_by text,
    since timestamptz NOT NULL DEFAULT now(),
    tries int NOT NULL DEFAULT 0,
    last_at timestamptz NOT NULL DEFAULT now()
);

SELECT badges_private.close_to_public('public.badge_refused_writes'::regclass);

CREATE INDEX IF NOT EXISTS badge_refused_writes_place_idx
    ON public.badge_refused_writes (log_id, partition, last_at, id);

CREATE INDEX IF NOT EXISTS badge_refused_writes_peer_mentor_id_idx
    ON public.badge_refused_writes (peer_mentor_id, badge_definition_id, id);

CREATE INDEX IF NOT EXISTS badge_refused_writes_badge_definition_id_idx
    ON public.badge_refused_writes (badge_definition_id);

-- What waited when this generation went live, as badge_awards has it once it is written: a list of
-- {award, gone}. It is held as found, as the awards are that were there.
ALTER TABLE public.badge_logs ADD COLUMN IF NOT EXISTS found json;

CREATE OR REPLACE FUNCTION badges_private.forget_refused_writes() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'peer_mentors' THEN
        DELETE FROM public.badge_refused_writes w USING gone WHERE w.peer_mentor_id = gone.id;
    ELSE
        DELETE FROM public.badge_refused_writes w USING gone WHERE w.badge_definition_id = gone.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER badges_forget_refused_writes
    AFTER DELETE ON public.peer_mentors REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.forget_refused_writes();

CREATE OR REPLACE TRIGGER badges_forget_refused_writes
    AFTER DELETE ON public.badge_definitions REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.forget_refused_writes();

-- As lock_for_awards, but waits for nobody: what another session has locked comes twice, the second
-- time as kind 'busy'.
CREATE OR REPLACE FUNCTION badges_private.lock_at_once(
    peer_mentor_ids uuid[], badge_definition_ids uuid[]
) RETURNS TABLE (kind text, id uuid, deleted_version int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    free uuid[];
BEGIN
    free := ARRAY (
        SELECT m.id FROM public.peer_mentors m
        WHERE m.id = ANY (peer_mentor_ids) ORDER BY m.id FOR KEY SHARE SKIP LOCKED);
    RETURN QUERY
        SELECT k.kind, m.id, NULL::int FROM public.peer_mentors m
        CROSS JOIN LATERAL (VALUES ('mentor'), ('busy')) AS k (kind)
        WHERE m.id = ANY (peer_mentor_ids)
            AND (k.kind = 'mentor' OR NOT EXISTS (SELECT FROM unnest(free) f WHERE f = m.id));
    free := ARRAY (
        SELECT d.id FROM public.badge_definitions d
        WHERE d.id = ANY (badge_definition_ids) ORDER BY d.id FOR KEY SHARE SKIP LOCKED);
    RETURN QUERY
        SELECT k.kind, d.id, (
            SELECT max(v.version) FROM public.badge_definition_versions v
            WHERE v.id = d.id AND v.deleted)
        FROM public.badge_definitions d
        CROSS JOIN LATERAL (VALUES ('definition'), ('busy')) AS k (kind)
        WHERE d.id = ANY (badge_definition_ids)
            AND (k.kind = 'definition' OR NOT EXISTS (SELECT FROM unnest(free) f WHERE f = d.id));
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;

GRANT EXECUTE ON FUNCTION badges_private.lock_at_once(uuid[], uuid[]) TO badges_worker;

GRANT SELECT ON public.badge_refused_writes TO badges_worker, badges_api;

GRANT INSERT, UPDATE, DELETE ON public.badge_refused_writes TO badges_worker;

DROP POLICY IF EXISTS badges_worker_all ON public.badge_refused_writes;

CREATE POLICY badges_worker_all ON public.badge_refused_writes
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_api_organization ON public.badge_refused_writes;

CREATE POLICY badges_api_organization ON public.badge_refused_writes
    FOR SELECT TO badges_api USING (EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
        REVOKE ALL ON public.badge_refused_writes FROM service_role;
        GRANT SELECT ON public.badge_refused_writes TO service_role;
    END IF;
END
$$;
