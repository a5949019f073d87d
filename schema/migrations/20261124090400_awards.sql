-- Awards: who wrote them, what happened to them, and the one way to insert one.
--
-- For the worker (role badges_worker), all SECURITY DEFINER:
--
--   badges_private.lock_for_awards(peer_mentor_ids uuid[], badge_definition_ids uuid[])
--       -> (kind text 'mentor' | 'definition', id uuid, deleted_version int)
--       Locks the rows FOR KEY SHARE, each table in id order, and returns those that exist.
--       deleted_version: the highest recorded deletion of that definition, null if none.
--
--   badges_private.grant_awards(ids uuid[], peer_mentor_ids uuid[], badge_definition_ids uuid[],
--           earned_at timestamptz[], definition_versions int[], tiers text[],
--           tiers_earned_at timestamptz[], evidence jsonb[], awarded_by text)
--       -> setof uuid: the ids really inserted. A pair that has an award already keeps it.
--       The arrays have one element an award. Lock first.
--
--   badges_private.withdraw_awards(ids uuid[]) -> setof uuid: the ids really removed
--       Removes awards that the rule wrote and nobody else has changed.
--
--   badges_private.depart_mentors(peer_mentor_ids uuid[]) -> bigint: awards removed
--       Removes what the rule wrote for mentors that were deleted and are there again.
--
-- Events of what a person or the audit changes are written by a trigger; those of the worker by the
-- worker, which alone knows their source.
--
-- For people: public.award_badge, below.

-- 'rule' for the worker, 'audit' for its repair, else the person. Claims come first: whoever acts
-- with a token is a person, whatever the role.
CREATE OR REPLACE FUNCTION badges_private.writer() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    acting text := badges_private.acting_role();
    is_worker boolean := acting = 'badges_worker';
    owner oid;
BEGIN
    IF badges_private.claimed_sub() IS NOT NULL THEN
        RETURN badges_private.person();
    END IF;
    IF current_setting('badges.writer', true) = 'audit' THEN
        SELECT relowner INTO owner FROM pg_class WHERE oid = 'public.badge_awards'::regclass;
        IF is_worker OR pg_has_role(acting, owner, 'MEMBER') THEN
            RETURN 'audit';
        END IF;
    END IF;
    RETURN CASE WHEN is_worker THEN 'rule' ELSE badges_private.person() END;
END
$$;

CREATE OR REPLACE FUNCTION badges_private.stamp_award() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    writer text := badges_private.writer();
    reviser text := CASE WHEN writer = 'audit' THEN 'rule' ELSE writer END;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.revoked_at IS NOT NULL THEN
            NEW.revoked_by := coalesce(NEW.revoked_by, reviser);
        ELSIF NEW.revoked_by IS NOT NULL THEN
            NEW.revoked_at := now();
        END IF;
        IF NEW.definition_version IS NULL THEN
            SELECT version INTO NEW.definition_version FROM public.badge_definitions
            WHERE id = NEW.badge_definition_id;
        END IF;
        NEW.changed_by := writer;
        NEW.changed_xid := CASE WHEN writer <> 'rule' THEN pg_current_xact_id() END;
        RETURN NEW;
    END IF;
    IF NEW.revoked_at IS NOT NULL AND NEW.revoked_at IS DISTINCT FROM OLD.revoked_at
        AND NEW.revoked_by IS NOT DISTINCT FROM OLD.revoked_by THEN
        NEW.revoked_by := reviser;
    ELSIF NEW.revoked_by IS NOT NULL AND NEW.revoked_by IS DISTINCT FROM OLD.revoked_by THEN
        NEW.revoked_at := coalesce(NEW.revoked_at, now());
    ELSIF NEW.revoked_at IS NULL OR NEW.revoked_by IS NULL THEN
        NEW.revoked_at := NULL;
        NEW.revoked_by := NULL;
    END IF;
    -- What a person takes back is never given back by the rule, so nobody revokes in its name.
    IF reviser <> 'rule' AND NEW.revoked_by = 'rule' AND OLD.revoked_by IS DISTINCT FROM 'rule' THEN
        NEW.revoked_by := reviser;
    END IF;
    -- The transaction tells a person's acts apart where all else is as before (taken, given back).
    NEW.changed_by := OLD.changed_by;
    NEW.changed_xid := OLD.changed_xid;
    IF NEW IS DISTINCT FROM OLD THEN
        NEW.changed_by := writer;
        NEW.changed_xid := CASE WHEN writer <> 'rule' THEN pg_current_xact_id() END;
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER badges_stamp_award
    BEFORE INSERT OR UPDATE ON public.badge_awards
    FOR EACH ROW EXECUTE FUNCTION badges_private.stamp_award();

-- The event of a change by a person (source admin) or by the audit (source replay). The reason is
-- the local setting badges.reason, if there is one.
CREATE OR REPLACE FUNCTION badges_private.record_award_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    writer text := badges_private.writer();
    happened text[] := '{}';
BEGIN
    IF writer = 'rule' THEN
        RETURN NULL;
    END IF;
    IF TG_OP = 'INSERT' THEN
        happened := happened || 'granted'::text;
    ELSIF NEW.tier IS NOT NULL AND NEW.tier IS DISTINCT FROM OLD.tier THEN
        happened := happened || 'promoted'::text;
    END IF;
    IF NEW.revoked_by IS NOT NULL AND (TG_OP = 'INSERT' OR OLD.revoked_by IS NULL) THEN
        happened := happened || 'revoked'::text;
    ELSIF TG_OP = 'UPDATE' AND NEW.revoked_by IS NULL AND OLD.revoked_by IS NOT NULL THEN
        happened := happened || 'restored'::text;
    END IF;
    INSERT INTO public.badge_award_events (
        badge_award_id, peer_mentor_id, badge_definition_id, kind, tier, definition_version,
        source, actor, reason)
    SELECT NEW.id, NEW.peer_mentor_id, NEW.badge_definition_id, kind, NEW.tier,
           NEW.definition_version, CASE writer WHEN 'audit' THEN 'replay' ELSE 'admin' END, writer,
           nullif(current_setting('badges.reason', true), '')
    FROM unnest(happened) WITH ORDINALITY AS h (kind, place) ORDER BY place;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER badges_record_award_event
    AFTER INSERT OR UPDATE ON public.badge_awards
    FOR EACH ROW EXECUTE FUNCTION badges_private.record_award_event();

-- Events go with their mentor and with what depart_mentors removes, and never change otherwise.
CREATE OR REPLACE FUNCTION badges_private.keep_award_event() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF current_setting('badges.departing', true) = 'on'
        OR NOT EXISTS (SELECT FROM public.peer_mentors WHERE id = OLD.peer_mentor_id) THEN
        RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
    END IF;
    RAISE EXCEPTION 'badge_award_events is append-only: % is not allowed', TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE OR REPLACE TRIGGER badges_append_only
    BEFORE UPDATE OR DELETE ON public.badge_award_events
    FOR EACH ROW EXECUTE FUNCTION badges_private.keep_award_event();

CREATE OR REPLACE FUNCTION badges_private.lock_for_awards(
    peer_mentor_ids uuid[], badge_definition_ids uuid[]
) RETURNS TABLE (kind text, id uuid, deleted_version int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT 'mentor', m.id, NULL::int FROM public.peer_mentors m
        WHERE m.id = ANY (peer_mentor_ids) ORDER BY m.id FOR KEY SHARE;
    RETURN QUERY
        SELECT 'definition', d.id, (
            SELECT max(v.version) FROM public.badge_definition_versions v
            WHERE v.id = d.id AND v.deleted)
        FROM public.badge_definitions d
        WHERE d.id = ANY (badge_definition_ids) ORDER BY d.id FOR KEY SHARE OF d;
END
$$;

CREATE OR REPLACE FUNCTION badges_private.grant_awards(
    ids uuid[], peer_mentor_ids uuid[], badge_definition_ids uuid[], earned_at timestamptz[],
    definition_versions int[], tiers text[], tiers_earned_at timestamptz[], evidence jsonb[],
    awarded_by text
) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.badge_awards AS a (
        id, peer_mentor_id, badge_definition_id, earned_at, definition_version, tier,
        tier_earned_at, evidence, awarded_by)
    SELECT g.id, g.mentor, g.definition, g.earned, g.version, g.tier, g.tier_earned,
           coalesce(g.proof, '{}'), grant_awards.awarded_by
    FROM unnest(ids, peer_mentor_ids, badge_definition_ids, grant_awards.earned_at,
                definition_versions, tiers, tiers_earned_at, grant_awards.evidence)
         AS g (id, mentor, definition, earned, version, tier, tier_earned, proof)
    ORDER BY g.mentor, g.definition
    ON CONFLICT (peer_mentor_id, badge_definition_id) DO NOTHING
    RETURNING a.id
$$;

CREATE OR REPLACE FUNCTION badges_private.withdraw_awards(ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.badge_awards a WHERE a.id = ANY (ids) AND a.changed_by = 'rule'
    RETURNING a.id
$$;

CREATE OR REPLACE FUNCTION badges_private.depart_mentors(peer_mentor_ids uuid[]) RETURNS bigint
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    removed bigint;
BEGIN
    PERFORM set_config('badges.departing', 'on', true);
    DELETE FROM public.badge_awards
    WHERE peer_mentor_id = ANY (peer_mentor_ids) AND changed_by = 'rule';
    GET DIAGNOSTICS removed = ROW_COUNT;
    DELETE FROM public.badge_award_events e
    WHERE e.peer_mentor_id = ANY (peer_mentor_ids) AND e.source <> 'admin'
        AND NOT EXISTS (SELECT FROM public.badge_awards a WHERE a.id = e.badge_award_id);
    DELETE FROM public.peer_mentor_stats WHERE peer_mentor_id = ANY (peer_mentor_ids);
    PERFORM set_config('badges.departing', '', true);
    RETURN removed;
END
$$;

-- The first instant of a day in a time zone, also where the clocks change at midnight.
CREATE OR REPLACE FUNCTION badges_private.first_instant(day date, zone text) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN (noted - interval '1 hour') AT TIME ZONE zone = day::timestamp
                THEN noted - interval '1 hour' ELSE noted END
    FROM (SELECT day::timestamp AT TIME ZONE zone AS noted) AS midnight
$$;

-- Refuses what the log could not carry, or the fold would not believe.
CREATE OR REPLACE FUNCTION badges_private.check_award(
    definition uuid, current_version int, named_version int, earned timestamptz[]
) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    deleted int;
BEGIN
    SELECT max(v.version) INTO deleted FROM public.badge_definition_versions v
    WHERE v.id = definition AND v.deleted;
    IF named_version <= coalesce(deleted, 0) OR named_version > current_version THEN
        RAISE EXCEPTION 'badge definition % has no version % to award by', definition, named_version
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('Leave definition_version out, or give one from %s to %s.',
                                coalesce(deleted, 0) + 1, current_version);
    END IF;
    IF EXISTS (SELECT FROM unnest(earned) AS e
               WHERE e NOT BETWEEN '0001-01-02 00:00+00' AND '9999-12-30 00:00+00') THEN
        RAISE EXCEPTION 'earned_at and tier_earned_at must lie in the years 1 to 9999'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Leave earned_at out for today.';
    END IF;
END
$$;

-- The role that calls may write this name; null means the person who acts.
CREATE OR REPLACE FUNCTION badges_private.awarder(named text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF named = 'rule' AND badges_private.writer() NOT IN ('rule', 'audit') THEN
        RAISE EXCEPTION 'only the worker awards as ''rule'''
            USING ERRCODE = 'insufficient_privilege',
                  HINT = 'Leave awarded_by out, or give the name of the person who awards.';
    END IF;
    RETURN coalesce(nullif(named, ''), badges_private.person());
END
$$;

-- Gives a badge, and returns its row: the new one, or the one that is there. Called by hand on a
-- revoked award it restores it, as given by hand; the rule never gives back what a person took.
-- earned_at null: the first instant of today in the organization's time zone. awarded_by null: the
-- JWT's sub, else session_user; 'rule' is the worker's. definition_version null: the current one.
CREATE OR REPLACE FUNCTION public.award_badge(
    peer_mentor_id uuid, badge_definition_id uuid, earned_at timestamptz, evidence jsonb,
    awarded_by text DEFAULT NULL, definition_version int DEFAULT NULL, tier text DEFAULT NULL,
    tier_earned_at timestamptz DEFAULT NULL
) RETURNS public.badge_awards
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    by_whom text := badges_private.awarder(award_badge.awarded_by);
    organization uuid;
    zone text;
    definition public.badge_definitions;
    award public.badge_awards;
    granted uuid;
BEGIN
    PERFORM badges_private.lock_for_awards(
        ARRAY[award_badge.peer_mentor_id], ARRAY[award_badge.badge_definition_id]);
    SELECT o.id, coalesce(o.timezone, 'Europe/Oslo') INTO organization, zone
    FROM public.peer_mentors m JOIN public.organizations o ON o.id = m.organization_id
    WHERE m.id = award_badge.peer_mentor_id
        AND (badges_private.acting_role() <> 'badges_api'
             OR o.id = badges_private.claimed_organization());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'peer mentor % does not exist', award_badge.peer_mentor_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    SELECT d.* INTO definition FROM public.badge_definitions d
    WHERE d.id = award_badge.badge_definition_id
        AND (d.organization_id IS NULL OR d.organization_id = organization);
    IF NOT FOUND THEN
        RAISE EXCEPTION 'badge definition % does not exist for the organization of peer mentor %',
            award_badge.badge_definition_id, award_badge.peer_mentor_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    IF coalesce(definition.status, 'draft') = 'draft' THEN
        RAISE EXCEPTION 'badge definition % is a draft', definition.id
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Activate the definition before you award it.';
    END IF;
    PERFORM badges_private.check_award(
        definition.id, definition.version, award_badge.definition_version,
        ARRAY[award_badge.earned_at, award_badge.tier_earned_at]);
    LOOP
        SELECT g INTO granted FROM badges_private.grant_awards(
            ARRAY[gen_random_uuid()], ARRAY[award_badge.peer_mentor_id], ARRAY[definition.id],
            ARRAY[coalesce(award_badge.earned_at, badges_private.first_instant(
                (now() AT TIME ZONE zone)::date, zone))],
            ARRAY[coalesce(award_badge.definition_version, definition.version)],
            ARRAY[award_badge.tier], ARRAY[award_badge.tier_earned_at],
            ARRAY[award_badge.evidence], by_whom) AS g;
        SELECT a.* INTO award FROM public.badge_awards a
        WHERE a.peer_mentor_id = award_badge.peer_mentor_id
            AND a.badge_definition_id = definition.id
        FOR NO KEY UPDATE;
        -- Somebody may have deleted the row that was in the way.
        EXIT WHEN FOUND;
    END LOOP;
    IF granted IS NOT NULL AND badges_private.writer() = 'rule' THEN
        INSERT INTO public.badge_award_events (
            badge_award_id, peer_mentor_id, badge_definition_id, kind, tier, definition_version,
            source, actor)
        VALUES (award.id, award.peer_mentor_id, award.badge_definition_id, 'granted', award.tier,
                award.definition_version,
                CASE by_whom WHEN 'rule' THEN 'replay' ELSE 'admin' END, nullif(by_whom, 'rule'));
    ELSIF award.revoked_by IS NOT NULL AND by_whom <> 'rule' THEN
        UPDATE public.badge_awards a
        SET revoked_at = NULL, revoked_by = NULL, awarded_by = by_whom
        WHERE a.id = award.id
        RETURNING a.* INTO award;
    END IF;
    RETURN award;
END
$$;

SELECT badges_private.close_to_public(
    'public.award_badge(uuid, uuid, timestamptz, jsonb, text, int, text, timestamptz)'::regprocedure
);

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;

-- Awards that were there before have their events too.
INSERT INTO public.badge_award_events (
    badge_award_id, peer_mentor_id, badge_definition_id, kind, tier, at, definition_version, source,
    actor)
SELECT a.id, a.peer_mentor_id, a.badge_definition_id, e.kind, a.tier, e.at, a.definition_version,
       'replay', e.actor
FROM public.badge_awards a
CROSS JOIN LATERAL (VALUES ('granted', a.awarded_at, a.awarded_by),
                           ('revoked', a.revoked_at, a.revoked_by)) AS e (kind, at, actor)
WHERE e.at IS NOT NULL
    AND NOT EXISTS (SELECT FROM public.badge_award_events b WHERE b.badge_award_id = a.id);
