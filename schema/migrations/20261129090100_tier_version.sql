-- The version that gave the held tier: by it a tier whose name is gone is ranked, also where the log
-- begins later. It is that of the grant, then that of the last promotion.
--
-- Whoever writes a tier without it, a person or a worker of before, gives the tier by the current
-- version. The worker decides by the one that is in effect, and gives it as a negative number: as a
-- positive one it may be the number that is there already, which no trigger can tell from a column
-- that was left alone.

ALTER TABLE public.badge_awards ADD COLUMN IF NOT EXISTS tier_version int;

CREATE OR REPLACE FUNCTION badges_private.stamp_award() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    writer text := badges_private.writer();
    reviser text := CASE WHEN writer = 'audit' THEN 'rule' ELSE writer END;
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.earned_on IS NULL OR NEW.earned_at IS NULL
            OR (NEW.tier_earned_on IS NULL) <> (NEW.tier_earned_at IS NULL) THEN
            NEW := badges_private.dated_award(NEW, NULL, writer);
        END IF;
        IF NEW.revoked_at IS NOT NULL THEN
            NEW.revoked_by := coalesce(NEW.revoked_by, reviser);
        ELSIF NEW.revoked_by IS NOT NULL THEN
            NEW.revoked_at := now();
        END IF;
        IF NEW.definition_version IS NULL THEN
            SELECT version INTO NEW.definition_version FROM public.badge_definitions
            WHERE id = NEW.badge_definition_id;
        END IF;
        NEW.tier_version := CASE WHEN NEW.tier IS NOT NULL
            THEN coalesce(NEW.tier_version, NEW.definition_version) END;
        NEW.changed_by := writer;
        NEW.changed_xid := CASE WHEN writer <> 'rule' THEN pg_current_xact_id() END;
        RETURN NEW;
    END IF;
    IF NEW.tier IS NULL THEN
        NEW.tier_version := NULL;
    ELSIF NEW.tier IS DISTINCT FROM OLD.tier
        AND NEW.tier_version IS NOT DISTINCT FROM OLD.tier_version THEN
        SELECT version INTO NEW.tier_version FROM public.badge_definitions
        WHERE id = NEW.badge_definition_id;
    END IF;
    NEW.tier_version := abs(NEW.tier_version);
    IF (NEW.earned_at, NEW.earned_on, NEW.tier_earned_at, NEW.tier_earned_on)
        IS DISTINCT FROM (OLD.earned_at, OLD.earned_on, OLD.tier_earned_at, OLD.tier_earned_on) THEN
        NEW := badges_private.dated_award(NEW, OLD, writer);
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
    ELSIF writer <> 'rule' AND OLD.changed_by <> 'rule' THEN
        -- An update that changes nothing is in the log all the same, under its transaction.
        NEW.changed_xid := pg_current_xact_id();
    END IF;
    RETURN NEW;
END
$$;

GRANT UPDATE (tier_version) ON public.badge_awards TO badges_worker;

GRANT SELECT (tier_version) ON public.badge_awards TO badges_connect;

-- Awards of before: by the newest event that gave the tier. As with the dates this is nobody's act:
-- no trigger fires, and awards leave the publication meanwhile. Its row for them is then another one,
-- which a log that was filled from the one before may go on with.
DO $$
DECLARE
    publication text := coalesce(nullif(current_setting('badges.prefix', true), ''), 'badges')
        || '_mentor_log';
    older boolean := EXISTS (
        SELECT FROM pg_publication_tables
        WHERE pubname = publication AND schemaname = 'public' AND tablename = 'badge_awards'
            AND 'tier_version' <> ALL (attnames));
    row_before bigint := (
        SELECT r.oid::bigint FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
        WHERE p.pubname = publication AND r.prrelid = 'public.badge_awards'::regclass);
    silence text;
    wake text;
BEGIN
    IF older THEN
        EXECUTE format('ALTER PUBLICATION %I DROP TABLE public.badge_awards', publication);
    END IF;
    IF EXISTS (
        SELECT FROM public.badge_awards WHERE tier IS NOT NULL AND tier_version IS NULL
    ) THEN
        SELECT string_agg(format('DISABLE TRIGGER %I', tgname), ', '),
               string_agg(format('ENABLE %s TRIGGER %I', CASE tgenabled WHEN 'A' THEN 'ALWAYS'
                                 WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname), ', ')
        INTO silence, wake
        FROM pg_trigger
        WHERE tgrelid = 'public.badge_awards'::regclass AND NOT tgisinternal AND tgenabled <> 'D';
        EXECUTE 'ALTER TABLE public.badge_awards ' || silence;
        UPDATE public.badge_awards a
        SET tier_version = coalesce(
            (SELECT e.definition_version FROM public.badge_award_events e
             WHERE e.badge_award_id = a.id AND e.kind IN ('granted', 'promoted')
                 AND e.tier = a.tier
             ORDER BY e.id DESC LIMIT 1),
            a.definition_version)
        WHERE a.tier IS NOT NULL AND a.tier_version IS NULL;
        EXECUTE 'ALTER TABLE public.badge_awards ' || wake;
    END IF;
    IF older THEN
        EXECUTE format($publication$
            ALTER PUBLICATION %I ADD TABLE public.badge_awards (
                id, peer_mentor_id, badge_definition_id, earned_at, earned_on, definition_version,
                tier, tier_earned_at, tier_earned_on, tier_version, awarded_by, revoked_by,
                changed_by)
        $publication$, publication);
        UPDATE public.badge_logs
        SET fingerprint = jsonb_set(fingerprint, '{tables,badge_awards,row}', to_jsonb(r.oid::bigint))
        FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid
        WHERE p.pubname = publication AND r.prrelid = 'public.badge_awards'::regclass
            AND fingerprint #> '{tables,badge_awards,row}' = to_jsonb(row_before);
    END IF;
END
$$;
