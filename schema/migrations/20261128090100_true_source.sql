-- The source stays whole whatever a session does: long texts travel with their row, a session that
-- replays rows is seen, versions that were missed are written, and no index of ours refuses a row.

-- Postgres sends an unchanged text that is stored out of line only under the key it has. Where the
-- key changes, the row is new to whoever has it now, so the texts are written anew: '' makes a value
-- of them that counts as changed. The name sorts after every other BEFORE trigger's: one may put an
-- old text back (badges_stamp_award), or change the key.
CREATE OR REPLACE FUNCTION badges_private.send_whole() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_TABLE_NAME = 'activities' THEN
        NEW.activity_type := NEW.activity_type || '';
    ELSIF TG_TABLE_NAME = 'training_completions' THEN
        NEW.course_code := NEW.course_code || '';
    ELSE
        NEW.tier := NEW.tier || '';
        NEW.awarded_by := NEW.awarded_by || '';
        NEW.revoked_by := NEW.revoked_by || '';
        NEW.changed_by := NEW.changed_by || '';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER zz_badges_send_whole
    BEFORE UPDATE ON public.activities
    FOR EACH ROW WHEN ((OLD.id, OLD.peer_mentor_id) IS DISTINCT FROM (NEW.id, NEW.peer_mentor_id))
    EXECUTE FUNCTION badges_private.send_whole();

ALTER TABLE public.activities ENABLE ALWAYS TRIGGER zz_badges_send_whole;

CREATE OR REPLACE TRIGGER zz_badges_send_whole
    BEFORE UPDATE ON public.training_completions
    FOR EACH ROW WHEN ((OLD.id, OLD.peer_mentor_id) IS DISTINCT FROM (NEW.id, NEW.peer_mentor_id))
    EXECUTE FUNCTION badges_private.send_whole();

ALTER TABLE public.training_completions ENABLE ALWAYS TRIGGER zz_badges_send_whole;

CREATE OR REPLACE TRIGGER zz_badges_send_whole
    BEFORE UPDATE ON public.badge_awards
    FOR EACH ROW WHEN ((OLD.id, OLD.peer_mentor_id) IS DISTINCT FROM (NEW.id, NEW.peer_mentor_id))
    EXECUTE FUNCTION badges_private.send_whole();

ALTER TABLE public.badge_awards ENABLE ALWAYS TRIGGER zz_badges_send_whole;

-- A TRUNCATE acts as DELETE also where session_replication_role is replica, as in seeds and
-- restores. The triggers that write versions stay as they are: a dump brings its versions along.
ALTER TABLE public.peer_mentors ENABLE ALWAYS TRIGGER badges_delete_before_truncate;

ALTER TABLE public.activities ENABLE ALWAYS TRIGGER badges_delete_before_truncate;

ALTER TABLE public.training_completions ENABLE ALWAYS TRIGGER badges_delete_before_truncate;

ALTER TABLE public.mentor_pauses ENABLE ALWAYS TRIGGER badges_delete_before_truncate;

ALTER TABLE public.badge_definitions ENABLE ALWAYS TRIGGER badges_delete_before_truncate;

ALTER TABLE public.badge_awards ENABLE ALWAYS TRIGGER badges_delete_before_truncate;

ALTER TABLE public.badge_award_events ENABLE ALWAYS TRIGGER badges_delete_before_truncate;

-- An index row holds 2,704 bytes, and no row that the table takes may fail in an index of ours: the
-- type is the index's last column where the table bounds it to 200 characters, else its beginning,
-- by which names count. Returns the statements that make the index so, or null where it is.
CREATE OR REPLACE FUNCTION badges_private.mend_activities_index() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(
        'DROP INDEX IF EXISTS public.activities_mentor_date_type_idx; '
        'CREATE INDEX activities_mentor_date_type_idx '
        'ON public.activities (peer_mentor_id, activity_date, %s);', wanted.last)
    FROM (
        SELECT CASE WHEN a.atttypid = 'varchar'::regtype AND a.atttypmod BETWEEN 5 AND 204
                OR EXISTS (
                    SELECT FROM pg_constraint k
                    WHERE k.conrelid = a.attrelid AND k.contype = 'c' AND k.convalidated
                        AND substring(
                            pg_get_constraintdef(k.oid),
                            '^CHECK \(\((?:char_length|character_length|length)'
                            '\(\(?activity_type\)?(?:::text)?\) <=? (\d{1,4})\)\)')::int <= 200)
            THEN 'activity_type' ELSE 'left(activity_type, 200)' END AS last
        FROM pg_attribute a
        WHERE a.attrelid = to_regclass('public.activities') AND a.attname = 'activity_type'
    ) AS wanted
    WHERE NOT EXISTS (
        SELECT FROM pg_index i
        WHERE i.indexrelid = to_regclass('public.activities_mentor_date_type_idx')
            AND i.indrelid = to_regclass('public.activities')
            AND i.indisvalid AND i.indpred IS NULL AND i.indnkeyatts = 3
            AND pg_get_indexdef(i.indexrelid, 1, true) = 'peer_mentor_id'
            AND pg_get_indexdef(i.indexrelid, 2, true) = 'activity_date'
            AND translate(replace(pg_get_indexdef(i.indexrelid, 3, true), '::text', ''), '"', '')
                = wanted.last)
$$;

DO $$
DECLARE
    statements text := badges_private.mend_activities_index();
BEGIN
    IF statements IS NOT NULL THEN
        EXECUTE statements;
    END IF;
END
$$;

-- Definitions and organizations that differ from their newest version, because their triggers were
-- off when they were saved. `what` is inserted, changed, deleted (definitions), or renumbered: the
-- row has another number than its version.
CREATE OR REPLACE FUNCTION badges_private.missed_versions()
RETURNS TABLE (kind text, id uuid, what text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'definition', coalesce(d.id, v.id),
           CASE WHEN d.id IS NULL THEN 'deleted'
                WHEN v.id IS NULL OR v.deleted THEN 'inserted'
                WHEN d.content = v.content THEN 'renumbered'
                ELSE 'changed' END
    FROM (
        SELECT b.id, b.version, jsonb_build_array(
            b.organization_id, b.key, b.name, b.description, b.icon,
            coalesce(b.criteria, 'null')::text, b.counts_from, coalesce(b.revocable, false),
            coalesce(b.status, 'draft')) AS content
        FROM public.badge_definitions b
    ) AS d
    FULL JOIN (
        SELECT b.id, b.version, b.deleted, jsonb_build_array(
            b.organization_id, b.key, b.name, b.description, b.icon, b.criteria::text,
            b.counts_from, b.revocable, b.status) AS content
        FROM public.badge_definition_versions b
        JOIN (SELECT n.id, max(n.version) AS version
              FROM public.badge_definition_versions n GROUP BY n.id) AS newest
            ON newest.id = b.id AND newest.version = b.version
    ) AS v ON v.id = d.id
    WHERE CASE WHEN d.id IS NULL THEN NOT v.deleted
               ELSE v.deleted IS DISTINCT FROM false OR d.content <> v.content
                    OR d.version IS DISTINCT FROM v.version END
    UNION ALL
    SELECT 'organization', o.id, CASE WHEN v.id IS NULL THEN 'inserted' ELSE 'changed' END
    FROM public.organizations o
    LEFT JOIN (
        SELECT DISTINCT ON (b.id) b.id, b.timezone
        FROM public.organization_versions b ORDER BY b.id, b.version DESC
    ) AS v ON v.id = o.id
    WHERE v.timezone IS DISTINCT FROM coalesce(o.timezone, 'Europe/Oslo')
$$;

-- Writes the next version of each of them. A definition that is gone takes its awards along, as its
-- deletion would have done. Nobody may save meanwhile: of what is gone there is no row to lock.
CREATE OR REPLACE FUNCTION badges_private.record_missed_versions() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    missed record;
    definition public.badge_definitions;
BEGIN
    IF NOT EXISTS (SELECT FROM badges_private.missed_versions()) THEN
        RETURN;
    END IF;
    LOCK TABLE public.organizations, public.badge_definitions IN SHARE ROW EXCLUSIVE MODE;
    FOR missed IN SELECT * FROM badges_private.missed_versions() ORDER BY kind, id LOOP
        IF missed.kind = 'organization' THEN
            INSERT INTO public.organization_versions (id, version, saved_by, timezone)
            SELECT o.id, 1 + coalesce((SELECT max(version) FROM public.organization_versions
                                       WHERE id = o.id), 0),
                   badges_private.person(), coalesce(o.timezone, 'Europe/Oslo')
            FROM public.organizations o WHERE o.id = missed.id;
        ELSIF missed.what = 'deleted' THEN
            INSERT INTO public.badge_definition_versions (
                id, version, saved_by, deleted, organization_id, key, name, description, icon,
                criteria, counts_from, revocable, status)
            SELECT id, version + 1, badges_private.person(), true, organization_id, key, name,
                   description, icon, criteria, counts_from, revocable, status
            FROM public.badge_definition_versions
            WHERE id = missed.id ORDER BY version DESC LIMIT 1;
            DELETE FROM public.badge_awards WHERE badge_definition_id = missed.id;
        ELSE
            IF missed.what <> 'renumbered' THEN
                SELECT d.* INTO definition FROM public.badge_definitions d WHERE d.id = missed.id;
                PERFORM badges_private.record_definition_version(
                    definition, badges_private.highest_definition_version(missed.id) + 1, false);
            END IF;
            UPDATE public.badge_definitions
            SET version = badges_private.highest_definition_version(missed.id)
            WHERE id = missed.id;
        END IF;
    END LOOP;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;

GRANT EXECUTE ON FUNCTION badges_private.missed_versions() TO badges_worker;

SELECT badges_private.record_missed_versions();
