-- Whom row-level security hides from the functions that lock the mentors and definitions of a turn
-- would be taken for deleted, and rows that a TRUNCATE takes along would be deleted without a word in
-- the log: an error instead, which is told. It is of whoever runs it: our functions' owner.
CREATE OR REPLACE FUNCTION badges_private.see_all(VARIADIC tables regclass[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    hides regclass;
BEGIN
    FOREACH hides IN ARRAY tables LOOP
        IF row_security_active(hides) AND (NOT EXISTS (
            SELECT FROM pg_policy p
            WHERE p.polrelid = hides AND p.polpermissive AND p.polcmd = '*'
                AND pg_get_expr(p.polqual, p.polrelid) = 'true'
                AND p.polroles && ARRAY[0::oid, current_user::regrole::oid]
        ) OR EXISTS (
            SELECT FROM pg_policy p
            WHERE p.polrelid = hides AND NOT p.polpermissive
                AND p.polroles && ARRAY[0::oid, current_user::regrole::oid]
        )) THEN
            RAISE EXCEPTION 'row-level security hides rows of % from %', hides, current_user
                USING ERRCODE = 'insufficient_privilege',
                      HINT = '`badges migrate --check` prints the policy that shows them.';
        END IF;
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION badges_private.lock_for_awards(
    peer_mentor_ids uuid[], badge_definition_ids uuid[]
) RETURNS TABLE (kind text, id uuid, deleted_version int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM badges_private.see_all('public.peer_mentors', 'public.badge_definitions');
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

-- As lock_for_awards, but waits for nobody: what another session has locked comes twice, the second
-- time as kind 'busy'.
CREATE OR REPLACE FUNCTION badges_private.lock_at_once(
    peer_mentor_ids uuid[], badge_definition_ids uuid[]
) RETURNS TABLE (kind text, id uuid, deleted_version int)
LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    free uuid[];
BEGIN
    PERFORM badges_private.see_all('public.peer_mentors', 'public.badge_definitions');
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

CREATE OR REPLACE FUNCTION badges_private.delete_before_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM badges_private.see_all(TG_RELID);
    EXECUTE format('DELETE FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    RETURN NULL;
END
$$;

REVOKE ALL ON FUNCTION badges_private.see_all(regclass[]) FROM PUBLIC;

-- The one way to insert an award. A tier without a date has the award's; an unknown time zone counts
-- as UTC, as everywhere; and a trigger of the application that lets the row go ends it.
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
    tries int := 0;
BEGIN
    PERFORM badges_private.lock_for_awards(
        ARRAY[award_badge.peer_mentor_id], ARRAY[award_badge.badge_definition_id]);
    SELECT o.id, badges_private.zone_of(m.id) INTO organization, zone
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
    PERFORM badges_private.check_tier(
        definition.id, coalesce(award_badge.definition_version, definition.version),
        award_badge.tier);
    IF award_badge.tier IS NULL AND award_badge.tier_earned_at IS NOT NULL THEN
        RAISE EXCEPTION 'tier_earned_at is the date of a tier, and there is none'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'Leave it out, or give the tier too.';
    END IF;
    award_badge.earned_at := coalesce(award_badge.earned_at, badges_private.first_instant(
        (now() AT TIME ZONE zone)::date, zone));
    IF award_badge.tier IS NOT NULL THEN
        award_badge.tier_earned_at :=
            coalesce(award_badge.tier_earned_at, award_badge.earned_at);
    END IF;
    LOOP
        SELECT g INTO granted FROM badges_private.grant_awards(
            ARRAY[gen_random_uuid()], ARRAY[award_badge.peer_mentor_id], ARRAY[definition.id],
            ARRAY[award_badge.earned_at], NULL,
            ARRAY[coalesce(award_badge.definition_version, definition.version)],
            ARRAY[award_badge.tier], ARRAY[award_badge.tier_earned_at], NULL,
            ARRAY[award_badge.evidence], by_whom) AS g;
        SELECT a.* INTO award FROM public.badge_awards a
        WHERE a.peer_mentor_id = award_badge.peer_mentor_id
            AND a.badge_definition_id = definition.id
        FOR NO KEY UPDATE;
        -- Somebody may have deleted the row that was in the way.
        EXIT WHEN FOUND;
        tries := tries + 1;
        IF tries = 10 THEN
            RAISE EXCEPTION 'the award of badge definition % to peer mentor % was not written',
                definition.id, award_badge.peer_mentor_id
                USING ERRCODE = 'triggered_action_exception',
                      HINT = 'A trigger on badge_awards lets the row go: it returns NULL.';
        END IF;
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
