-- What Debezium reads: identities, the publication, and TRUNCATE as deletes.
--
-- A publication or replica identity that is there already is left alone; `badges migrate` refuses
-- to begin when it does not fit.

DO $$
DECLARE
    mentor_table text;
BEGIN
    FOREACH mentor_table IN ARRAY
        ARRAY['activities', 'training_completions', 'mentor_pauses', 'badge_awards'] LOOP
        IF (SELECT relreplident FROM pg_class
            WHERE oid = format('public.%I', mentor_table)::regclass) = 'd' THEN
            EXECUTE format('ALTER TABLE public.%I REPLICA IDENTITY USING INDEX %I', mentor_table,
                           mentor_table || '_mentor_identity_idx');
        END IF;
    END LOOP;
END
$$;

-- Column lists leave out names and evidence: the log is kept forever and tells of nobody by name.
DO $$
DECLARE
    publication text := coalesce(nullif(current_setting('badges.prefix', true), ''), 'badges')
        || '_mentor_log';
BEGIN
    IF EXISTS (SELECT FROM pg_publication WHERE pubname = publication) THEN
        RETURN;
    END IF;
    EXECUTE format($publication$
        CREATE PUBLICATION %I FOR TABLE
            public.peer_mentors (id, organization_id, active),
            public.activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes),
            public.training_completions (id, peer_mentor_id, course_code, completed_on),
            public.mentor_pauses (id, peer_mentor_id, starts_on, ends_on),
            public.badge_awards (id, peer_mentor_id, badge_definition_id, earned_at,
                definition_version, tier, tier_earned_at, awarded_by, revoked_by, changed_by),
            public.badge_heartbeats
        WITH (publish = 'insert, update, delete')
    $publication$, publication);
END
$$;

-- TRUNCATE alone reaches neither the log nor the versions, so the rows are deleted first.
CREATE OR REPLACE FUNCTION badges_private.delete_before_truncate() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DELETE FROM %I.%I', TG_TABLE_SCHEMA, TG_TABLE_NAME);
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER badges_delete_before_truncate
    BEFORE TRUNCATE ON public.peer_mentors
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.delete_before_truncate();

CREATE OR REPLACE TRIGGER badges_delete_before_truncate
    BEFORE TRUNCATE ON public.activities
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.delete_before_truncate();

CREATE OR REPLACE TRIGGER badges_delete_before_truncate
    BEFORE TRUNCATE ON public.training_completions
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.delete_before_truncate();

CREATE OR REPLACE TRIGGER badges_delete_before_truncate
    BEFORE TRUNCATE ON public.mentor_pauses
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.delete_before_truncate();

CREATE OR REPLACE TRIGGER badges_delete_before_truncate
    BEFORE TRUNCATE ON public.badge_definitions
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.delete_before_truncate();

CREATE OR REPLACE TRIGGER badges_delete_before_truncate
    BEFORE TRUNCATE ON public.badge_awards
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.delete_before_truncate();

-- The deletes of a TRUNCATE of the mentors have emptied the events; any other finds them there.
CREATE OR REPLACE TRIGGER badges_delete_before_truncate
    BEFORE TRUNCATE ON public.badge_award_events
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.delete_before_truncate();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;
