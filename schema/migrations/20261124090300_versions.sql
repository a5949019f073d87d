-- Every version of a definition and of an organization's time zone, whoever saves.
--
-- The row's own key is the lock: once an AFTER ROW trigger runs, nobody else can insert, change or
-- delete that id before this transaction ends, so the highest version it reads is the highest.

CREATE TABLE IF NOT EXISTS badges_private.time_zones (name text PRIMARY KEY);

INSERT INTO badges_private.time_zones
SELECT name FROM pg_timezone_names
WHERE name !~ '^(posix/|right/)' AND name NOT IN ('localtime', 'posixrules', 'Factory')
ON CONFLICT DO NOTHING;

SELECT badges_private.close_to_public('badges_private.time_zones'::regclass);

-- An unknown name would stop everything that has to tell the day there, so it is refused on saving.
CREATE OR REPLACE FUNCTION badges_private.check_timezone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.timezone IS NULL
        OR EXISTS (SELECT FROM badges_private.time_zones WHERE name = NEW.timezone) THEN
        RETURN NEW;
    END IF;
    INSERT INTO badges_private.time_zones
    SELECT name FROM pg_timezone_names WHERE name = NEW.timezone
    ON CONFLICT DO NOTHING;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'time zone "%" of organization % is not known', NEW.timezone, NEW.id
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Use an IANA name, spelled exactly, such as Europe/Oslo; '
                         'SELECT name FROM pg_timezone_names lists them.';
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER badges_check_timezone
    BEFORE INSERT OR UPDATE ON public.organizations
    FOR EACH ROW EXECUTE FUNCTION badges_private.check_timezone();

-- Everything of a definition but its version. Criteria as text: 1 and 1.0 are equal as jsonb, and
-- yet only one of them is valid.
CREATE OR REPLACE FUNCTION badges_private.definition_content(d public.badge_definitions)
RETURNS jsonb LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_array(d.id, d.organization_id, d.key, d.name, d.description, d.icon,
                             d.criteria::text, d.counts_from, d.revocable, d.status)
$$;

CREATE OR REPLACE FUNCTION badges_private.highest_definition_version(definition uuid)
RETURNS int LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(version), 0) FROM public.badge_definition_versions WHERE id = definition
$$;

CREATE OR REPLACE FUNCTION badges_private.record_definition_version(
    d public.badge_definitions, number int, is_deleted boolean
) RETURNS void LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
    INSERT INTO public.badge_definition_versions (
        id, version, saved_by, deleted, organization_id, key, name, description, icon, criteria,
        counts_from, revocable, status)
    VALUES (d.id, number, badges_private.person(), is_deleted, d.organization_id, d.key, d.name,
            d.description, d.icon, coalesce(d.criteria, 'null'), d.counts_from,
            coalesce(d.revocable, false), coalesce(d.status, 'draft'))
$$;

-- Before the row is written: its version is the next one, or, if nothing changed, what it was.
CREATE OR REPLACE FUNCTION badges_private.number_definition() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.version := badges_private.highest_definition_version(NEW.id);
    IF TG_OP = 'INSERT' THEN
        NEW.version := NEW.version + 1;
    ELSIF badges_private.definition_content(NEW) <> badges_private.definition_content(OLD) THEN
        NEW.version := NEW.version + 1;
    END IF;
    RETURN NEW;
END
$$;

-- After the row is written: record it. An insert that waited for somebody's delete of the same id
-- was numbered too early; touching the row again numbers it right.
CREATE OR REPLACE FUNCTION badges_private.save_definition() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    number int;
BEGIN
    IF TG_OP = 'DELETE' OR (TG_OP = 'UPDATE' AND OLD.id IS DISTINCT FROM NEW.id) THEN
        number := badges_private.highest_definition_version(OLD.id) + 1;
        PERFORM badges_private.record_definition_version(OLD, number, true);
        IF TG_OP = 'DELETE' THEN
            RETURN NULL;
        END IF;
    ELSIF TG_OP = 'UPDATE'
        AND badges_private.definition_content(NEW) = badges_private.definition_content(OLD)
        AND badges_private.highest_definition_version(NEW.id) > 0 THEN
        RETURN NULL;
    END IF;
    number := badges_private.highest_definition_version(NEW.id) + 1;
    PERFORM badges_private.record_definition_version(NEW, number, false);
    IF number <> NEW.version THEN
        UPDATE public.badge_definitions SET version = number WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER badges_number_definition
    BEFORE INSERT OR UPDATE ON public.badge_definitions
    FOR EACH ROW EXECUTE FUNCTION badges_private.number_definition();

CREATE OR REPLACE TRIGGER badges_save_definition
    AFTER INSERT OR UPDATE OR DELETE ON public.badge_definitions
    FOR EACH ROW EXECUTE FUNCTION badges_private.save_definition();

CREATE OR REPLACE FUNCTION badges_private.save_timezone() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND OLD.id = NEW.id AND OLD.timezone IS NOT DISTINCT FROM NEW.timezone THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.organization_versions (id, version, saved_by, timezone)
    SELECT NEW.id, coalesce(max(version), 0) + 1, badges_private.person(),
           coalesce(NEW.timezone, 'Europe/Oslo')
    FROM public.organization_versions WHERE id = NEW.id;
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER badges_save_timezone
    AFTER INSERT OR UPDATE ON public.organizations
    FOR EACH ROW EXECUTE FUNCTION badges_private.save_timezone();

-- What is there already is version 1.
INSERT INTO public.badge_definition_versions (
    id, version, saved_by, organization_id, key, name, description, icon, criteria,
    counts_from, revocable, status)
SELECT id, 1, badges_private.person(), organization_id, key, name, description, icon,
       coalesce(criteria, 'null'), counts_from, coalesce(revocable, false),
       coalesce(status, 'draft')
FROM public.badge_definitions d
WHERE NOT EXISTS (SELECT FROM public.badge_definition_versions v WHERE v.id = d.id);

UPDATE public.badge_definitions d SET version = version
WHERE version IS DISTINCT FROM badges_private.highest_definition_version(d.id);

INSERT INTO public.organization_versions (id, version, saved_by, timezone)
SELECT id, 1, badges_private.person(), coalesce(timezone, 'Europe/Oslo')
FROM public.organizations o
WHERE NOT EXISTS (SELECT FROM public.organization_versions v WHERE v.id = o.id);

-- Wakes the workers; one empty message a transaction, for they read what is new by themselves.
CREATE OR REPLACE FUNCTION badges_private.announce_rules() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('badges_rules', '');
    RETURN NULL;
END
$$;

CREATE OR REPLACE TRIGGER badges_announce
    AFTER INSERT ON public.badge_definition_versions
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.announce_rules();

CREATE OR REPLACE TRIGGER badges_announce
    AFTER INSERT ON public.organization_versions
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.announce_rules();

CREATE OR REPLACE FUNCTION badges_private.refuse_change() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION '% is append-only: % is not allowed', TG_TABLE_NAME, TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;

CREATE OR REPLACE TRIGGER badges_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON public.badge_definition_versions
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.refuse_change();

CREATE OR REPLACE TRIGGER badges_append_only
    BEFORE UPDATE OR DELETE OR TRUNCATE ON public.organization_versions
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.refuse_change();

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA badges_private FROM PUBLIC;
