-- The dates of awards beside their instants: what a badge that builds on others counts by. An
-- instant tells its date only together with the time zone that was in effect.
--
-- For the worker: badges_private.grant_awards takes the dates too, earned_on after earned_at and
-- tiers_earned_on after tiers_earned_at. The one without stays for workers of before; there, as in
-- a plain INSERT, the trigger derives the dates.

ALTER TABLE public.badge_awards
    ADD COLUMN IF NOT EXISTS earned_on date,
    ADD COLUMN IF NOT EXISTS tier_earned_on date;

-- The time zone in which a mentor's days begin; an unknown one counts as UTC, as in the worker.
CREATE OR REPLACE FUNCTION badges_private.zone_of(mentor uuid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce((
        SELECT z.name FROM public.peer_mentors m
        JOIN public.organizations o ON o.id = m.organization_id
        JOIN badges_private.time_zones z ON z.name = coalesce(o.timezone, 'Europe/Oslo')
        WHERE m.id = mentor), 'UTC')
$$;

-- Whether a date begins at an instant in some time zone.
CREATE OR REPLACE FUNCTION badges_private.may_begin(day date, instant timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT extract(epoch FROM instant) - 86400.0 * (day - date '1970-01-01')
        BETWEEN -14 * 3600 AND 12 * 3600
$$;

-- The date of an award that is being written: as given, or that of the instant where only the
-- instant is new. The worker of today gives both, and one date may begin at two instants.
CREATE OR REPLACE FUNCTION badges_private.date_of_award(
    day date, instant timestamptz, day_before date, instant_before timestamptz, writer text,
    zone text
) RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN day IS NOT NULL AND (instant IS NULL OR day IS DISTINCT FROM day_before
                                  OR instant IS NOT DISTINCT FROM instant_before) THEN day
        WHEN writer = 'rule' AND badges_private.may_begin(day, instant) THEN day
        ELSE (instant AT TIME ZONE zone)::date
    END
$$;

-- The instant of an award that is being written: the first of its date, where only that is new.
CREATE OR REPLACE FUNCTION badges_private.instant_of_award(
    day date, instant timestamptz, day_before date, instant_before timestamptz, zone text
) RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN day IS NOT NULL AND day IS DISTINCT FROM day_before
            AND instant IS NOT DISTINCT FROM instant_before
        THEN badges_private.first_instant(day, zone) ELSE instant
    END
$$;

CREATE OR REPLACE FUNCTION badges_private.dated_award(
    award public.badge_awards, before public.badge_awards, writer text
) RETURNS public.badge_awards
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    given public.badge_awards := award;
    zone text := badges_private.zone_of(award.peer_mentor_id);
BEGIN
    award.earned_on := badges_private.date_of_award(
        given.earned_on, given.earned_at, before.earned_on, before.earned_at, writer, zone);
    award.earned_at := badges_private.instant_of_award(
        given.earned_on, given.earned_at, before.earned_on, before.earned_at, zone);
    IF award.tier IS NULL AND award.tier_earned_at IS NULL THEN
        award.tier_earned_on := NULL;
        RETURN award;
    END IF;
    award.tier_earned_on := badges_private.date_of_award(
        given.tier_earned_on, given.tier_earned_at, before.tier_earned_on, before.tier_earned_at,
        writer, zone);
    award.tier_earned_at := badges_private.instant_of_award(
        given.tier_earned_on, given.tier_earned_at, before.tier_earned_on, before.tier_earned_at,
        zone);
    RETURN award;
END
$$;

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
        NEW.changed_by := writer;
        NEW.changed_xid := CASE WHEN writer <> 'rule' THEN pg_current_xact_id() END;
        RETURN NEW;
    END IF;
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

CREATE OR REPLACE FUNCTION badges_private.grant_awards(
    ids uuid[], peer_mentor_ids uuid[], badge_definition_ids uuid[], earned_at timestamptz[],
    earned_on date[], definition_versions int[], tiers text[], tiers_earned_at timestamptz[],
    tiers_earned_on date[], evidence jsonb[], awarded_by text
) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.badge_awards AS a (
        id, peer_mentor_id, badge_definition_id, earned_at, earned_on, definition_version, tier,
        tier_earned_at, tier_earned_on, evidence, awarded_by)
    SELECT g.id, g.mentor, g.definition, g.earned, g.earned_on, g.version, g.tier, g.tier_earned,
           g.tier_earned_on, coalesce(g.proof, '{}'), grant_awards.awarded_by
    FROM unnest(ids, peer_mentor_ids, badge_definition_ids, grant_awards.earned_at,
                grant_awards.earned_on, definition_versions, tiers, tiers_earned_at,
                tiers_earned_on, grant_awards.evidence)
         AS g (id, mentor, definition, earned, earned_on, version, tier, tier_earned,
               tier_earned_on, proof)
    ORDER BY g.mentor, g.definition
    ON CONFLICT (peer_mentor_id, badge_definition_id) DO NOTHING
    RETURNING a.id
$$;

CREATE OR REPLACE FUNCTION badges_private.check_tier(
    definition uuid, by_version int, named_tier text
) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    names text[];
BEGIN
    SELECT coalesce(array_agg(t.tier ->> 'name' ORDER BY t.place), '{}') INTO names
    FROM public.badge_definition_versions v, jsonb_array_elements(
        CASE WHEN v.criteria ->> 'type' = 'tier' AND jsonb_typeof(v.criteria -> 'tiers') = 'array'
             THEN v.criteria -> 'tiers' ELSE '[]' END
    ) WITH ORDINALITY AS t (tier, place)
    WHERE v.id = definition AND v.version = by_version;
    IF named_tier IS NOT NULL AND named_tier <> ALL (names) THEN
        RAISE EXCEPTION 'badge definition % has no tier "%" in version %', definition, named_tier,
            by_version
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = CASE names WHEN '{}' THEN 'It has no tiers: leave tier out.'
                         ELSE format('Its tiers are: %s.', array_to_string(names, ', ')) END;
    END IF;
END
$$;

-- Gives a badge, and returns its row: the new one, or the one that is there. Called by hand on a
-- revoked award it restores it, as given by hand; the rule never gives back what a person took.
-- earned_at null: the first instant of today in the organization's time zone. awarded_by null: the
-- JWT's sub, else session_user; 'rule' is the worker's. definition_version null: the current one.
-- A tier must be one of that version's.
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
    PERFORM badges_private.check_tier(
        definition.id, coalesce(award_badge.definition_version, definition.version),
        award_badge.tier);
    LOOP
        SELECT g INTO granted FROM badges_private.grant_awards(
            ARRAY[gen_random_uuid()], ARRAY[award_badge.peer_mentor_id], ARRAY[definition.id],
            ARRAY[coalesce(award_badge.earned_at, badges_private.first_instant(
                (now() AT TIME ZONE zone)::date, zone))],
            NULL,
            ARRAY[coalesce(award_badge.definition_version, definition.version)],
            ARRAY[award_badge.tier], ARRAY[award_badge.tier_earned_at], NULL,
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

GRANT EXECUTE ON FUNCTION
    badges_private.grant_awards(uuid[], uuid[], uuid[], timestamptz[], date[], int[], text[],
                                timestamptz[], date[], jsonb[], text)
    TO badges_worker;

GRANT UPDATE (tier_earned_on) ON public.badge_awards TO badges_worker;

GRANT SELECT (earned_on, tier_earned_on) ON public.badge_awards TO badges_connect;

-- Streaks as of today. A run ends unless every period between its last one and today's has a paused
-- day; the period that today falls in never breaks it before it ends. Dates reach further than
-- timestamps do, so only what lies before today is reckoned with as such; missed periods are looked
-- at one by one, up to the first without a pause.
CREATE OR REPLACE VIEW public.peer_mentor_stats_current WITH (security_invoker = true) AS
WITH clock AS MATERIALIZED (
    SELECT id, (now() AT TIME ZONE coalesce(timezone, 'Europe/Oslo'))::date AS today
    FROM public.organizations
)
SELECT s.peer_mentor_id, clock.today, s.activity_count, s.minutes_total, s.active_days,
       s.counts_by_type, s.training_count, s.first_activity_on, s.last_activity_on,
       s.day_streak_longest, s.day_streak_length, s.day_streak_last_on, now_on.day_streak_current,
       s.week_streak_longest, s.week_streak_length, s.week_streak_last_on,
       now_on.week_streak_current,
       s.month_streak_longest, s.month_streak_length, s.month_streak_last_on,
       now_on.month_streak_current,
       s.updated_at
FROM public.peer_mentor_stats s
JOIN public.peer_mentors m ON m.id = s.peer_mentor_id
JOIN clock ON clock.id = m.organization_id
CROSS JOIN LATERAL (
    SELECT max(run.held) FILTER (WHERE run.period = 'day') AS day_streak_current,
           max(run.held) FILTER (WHERE run.period = 'week') AS week_streak_current,
           max(run.held) FILTER (WHERE run.period = 'month') AS month_streak_current
    FROM (
        SELECT newest.period, CASE
            WHEN newest.last_on >= clock.today THEN newest.length
            WHEN newest.last_on IS NULL OR EXISTS (
                SELECT FROM (
                    SELECT generate_series(
                        newest.last_on::timestamp + newest.step,
                        date_trunc(newest.period, clock.today::timestamp) - newest.step,
                        newest.step) AS begins
                ) AS missed
                WHERE NOT EXISTS (
                    SELECT FROM public.mentor_pauses p
                    WHERE p.peer_mentor_id = s.peer_mentor_id
                        AND p.starts_on < (missed.begins + newest.step)::date
                        AND coalesce(p.ends_on, 'infinity')
                            >= greatest(p.starts_on, missed.begins::date))
            ) THEN 0 ELSE newest.length END AS held
        FROM (VALUES
            ('day', interval '1 day', s.day_streak_length, s.day_streak_last_on),
            ('week', interval '1 week', s.week_streak_length, s.week_streak_last_on),
            ('month', interval '1 month', s.month_streak_length, s.month_streak_last_on)
        ) AS newest (period, step, length, last_on)
    ) AS run
) AS now_on;

-- The date that begins at an instant: in `zone`, else in another that organizations have or had,
-- where the mentor may have been then. An instant at which no date begins has its own in `zone`.
CREATE OR REPLACE FUNCTION badges_private.date_begun(instant timestamptz, zone text) RETURNS date
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN badges_private.first_instant((instant AT TIME ZONE zone)::date, zone) = instant
        THEN (instant AT TIME ZONE zone)::date
        ELSE coalesce((
            SELECT (instant AT TIME ZONE z.name)::date
            FROM badges_private.time_zones z
            WHERE z.name IN (SELECT v.timezone FROM public.organization_versions v)
                AND badges_private.first_instant((instant AT TIME ZONE z.name)::date, z.name)
                    = instant
            ORDER BY z.name LIMIT 1
        ), (instant AT TIME ZONE zone)::date)
    END
$$;

-- Awards of before: dated where the badge's own organization was as they were awarded, else the
-- mentor's; what the rule gave began there. This is nobody's act: no trigger fires, and the log does
-- not hear of it, for there it would pass for a person's. So awards leave the publication meanwhile.
DO $$
DECLARE
    publication text := coalesce(nullif(current_setting('badges.prefix', true), ''), 'badges')
        || '_mentor_log';
    older boolean := EXISTS (
        SELECT FROM pg_publication_tables
        WHERE pubname = publication AND schemaname = 'public' AND tablename = 'badge_awards'
            AND NOT attnames && ARRAY['earned_on', 'tier_earned_on']::name[]);
    silence text;
    wake text;
BEGIN
    IF older THEN
        EXECUTE format('ALTER PUBLICATION %I DROP TABLE public.badge_awards', publication);
    END IF;
    IF EXISTS (SELECT FROM public.badge_awards WHERE earned_on IS NULL) THEN
        SELECT string_agg(format('DISABLE TRIGGER %I', tgname), ', '),
               string_agg(format('ENABLE %s TRIGGER %I', CASE tgenabled WHEN 'A' THEN 'ALWAYS'
                                 WHEN 'R' THEN 'REPLICA' ELSE '' END, tgname), ', ')
        INTO silence, wake
        FROM pg_trigger
        WHERE tgrelid = 'public.badge_awards'::regclass AND NOT tgisinternal AND tgenabled <> 'D';
        EXECUTE 'ALTER TABLE public.badge_awards ' || silence;
        UPDATE public.badge_awards a
        SET earned_on = CASE WHEN a.awarded_by = 'rule'
                THEN badges_private.date_begun(a.earned_at, home.zone)
                ELSE (a.earned_at AT TIME ZONE home.zone)::date END,
            tier_earned_on = CASE WHEN a.awarded_by = 'rule'
                THEN badges_private.date_begun(a.tier_earned_at, home.zone)
                ELSE (a.tier_earned_at AT TIME ZONE home.zone)::date END
        FROM (
            SELECT b.id, coalesce(known.name, 'UTC') AS zone
            FROM public.badge_awards b
            LEFT JOIN public.badge_definitions d ON d.id = b.badge_definition_id
            LEFT JOIN public.peer_mentors m ON m.id = b.peer_mentor_id
            LEFT JOIN public.organizations o ON o.id = coalesce(d.organization_id, m.organization_id)
            LEFT JOIN badges_private.time_zones known ON known.name = coalesce(
                (SELECT v.timezone FROM public.organization_versions v
                 WHERE v.id = o.id AND v.saved_at <= b.awarded_at
                 ORDER BY v.version DESC LIMIT 1),
                (SELECT v.timezone FROM public.organization_versions v
                 WHERE v.id = o.id ORDER BY v.version LIMIT 1),
                o.timezone, 'Europe/Oslo')
        ) AS home
        WHERE home.id = a.id AND a.earned_on IS NULL;
        EXECUTE 'ALTER TABLE public.badge_awards ' || wake;
    END IF;
    IF older THEN
        EXECUTE format($publication$
            ALTER PUBLICATION %I ADD TABLE public.badge_awards (
                id, peer_mentor_id, badge_definition_id, earned_at, earned_on, definition_version,
                tier, tier_earned_at, tier_earned_on, awarded_by, revoked_by, changed_by)
        $publication$, publication);
    END IF;
END
$$;

ALTER TABLE public.badge_awards ALTER COLUMN earned_on SET NOT NULL;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;
