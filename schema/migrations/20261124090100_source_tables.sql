-- The application's tables, where they are missing. A table that is there already keeps its rows,
-- rights and policies; `badges migrate` has looked at its columns, types and keys before.

DO $$
BEGIN
    IF to_regclass('public.organizations') IS NULL THEN
        CREATE TABLE public.organizations (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            slug text NOT NULL UNIQUE,
            name text,
            timezone text NOT NULL DEFAULT 'Europe/Oslo'
        );
        PERFORM badges_private.close_to_public('public.organizations'::regclass);
    END IF;
    IF to_regclass('public.peer_mentors') IS NULL THEN
        CREATE TABLE public.peer_mentors (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            organization_id uuid NOT NULL
                REFERENCES public.organizations ON DELETE CASCADE ON UPDATE CASCADE,
            display_name text,
            active boolean NOT NULL DEFAULT true
        );
        CREATE INDEX peer_mentors_organization_id_idx ON public.peer_mentors (organization_id);
        PERFORM badges_private.close_to_public('public.peer_mentors'::regclass);
    END IF;
    IF to_regclass('public.activities') IS NULL THEN
        CREATE TABLE public.activities (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            peer_mentor_id uuid NOT NULL
                REFERENCES public.peer_mentors ON DELETE CASCADE ON UPDATE CASCADE,
            activity_type text NOT NULL CHECK (char_length(activity_type) <= 200),
            activity_date date NOT NULL,
            duration_minutes int CHECK (duration_minutes >= 0),
            created_at timestamptz NOT NULL DEFAULT now()
        );
        PERFORM badges_private.close_to_public('public.activities'::regclass);
    END IF;
    IF to_regclass('public.training_completions') IS NULL THEN
        CREATE TABLE public.training_completions (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            peer_mentor_id uuid NOT NULL
                REFERENCES public.peer_mentors ON DELETE CASCADE ON UPDATE CASCADE,
            course_code text NOT NULL,
            completed_on date NOT NULL
        );
        PERFORM badges_private.close_to_public('public.training_completions'::regclass);
    END IF;
    IF to_regclass('public.mentor_pauses') IS NULL THEN
        CREATE TABLE public.mentor_pauses (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            peer_mentor_id uuid NOT NULL
                REFERENCES public.peer_mentors ON DELETE CASCADE ON UPDATE CASCADE,
            starts_on date NOT NULL,
            ends_on date,
            CHECK (ends_on IS NULL OR ends_on >= starts_on)
        );
        PERFORM badges_private.close_to_public('public.mentor_pauses'::regclass);
    END IF;
    IF to_regclass('public.badge_definitions') IS NULL THEN
        CREATE TABLE public.badge_definitions (
            id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
            organization_id uuid
                REFERENCES public.organizations ON DELETE CASCADE ON UPDATE CASCADE,
            key text NOT NULL,
            name text NOT NULL DEFAULT '',
            description text NOT NULL DEFAULT '',
            icon text,
            criteria jsonb NOT NULL,
            counts_from date,
            revocable boolean NOT NULL DEFAULT false,
            status text NOT NULL DEFAULT 'draft',
            version int NOT NULL DEFAULT 1
        );
        PERFORM badges_private.close_to_public('public.badge_definitions'::regclass);
    END IF;
END
$$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = 'public.badge_definitions'::regclass
                   AND indisunique AND indisvalid AND indpred IS NULL AND indnullsnotdistinct
                   AND pg_get_indexdef(indexrelid)
                       LIKE '%(organization_id, key) NULLS NOT DISTINCT') THEN
        ALTER TABLE public.badge_definitions
            ADD CONSTRAINT badge_definitions_organization_id_key_unique
            UNIQUE NULLS NOT DISTINCT (organization_id, key);
    END IF;
END
$$;

ALTER TABLE public.badge_definitions DROP CONSTRAINT IF EXISTS badge_definitions_status_check;

ALTER TABLE public.badge_definitions ADD CONSTRAINT badge_definitions_status_check
    CHECK (status IN ('draft', 'active', 'retired'));

-- The identity of a mentor's row in the log is the pair: moving an activity to another mentor is
-- then a delete under the one key and a create under the other.
CREATE UNIQUE INDEX IF NOT EXISTS activities_mentor_identity_idx
    ON public.activities (peer_mentor_id, id);

CREATE UNIQUE INDEX IF NOT EXISTS training_completions_mentor_identity_idx
    ON public.training_completions (peer_mentor_id, id);

CREATE UNIQUE INDEX IF NOT EXISTS mentor_pauses_mentor_identity_idx
    ON public.mentor_pauses (peer_mentor_id, id);
