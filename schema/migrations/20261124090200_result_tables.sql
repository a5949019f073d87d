-- What this project writes: awards, their events, statistics, and where the log stands.

CREATE TABLE IF NOT EXISTS public.badge_awards (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    peer_mentor_id uuid NOT NULL,
    badge_definition_id uuid NOT NULL,
    earned_at timestamptz NOT NULL
);

-- Column by column, so that an older table of awards gets what it lacks.
ALTER TABLE public.badge_awards
    ADD COLUMN IF NOT EXISTS awarded_at timestamptz NOT NULL DEFAULT now(),
    ADD COLUMN IF NOT EXISTS definition_version int,
    ADD COLUMN IF NOT EXISTS tier text,
    ADD COLUMN IF NOT EXISTS tier_earned_at timestamptz,
    ADD COLUMN IF NOT EXISTS evidence jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN IF NOT EXISTS awarded_by text NOT NULL DEFAULT 'rule',
    ADD COLUMN IF NOT EXISTS revoked_at timestamptz,
    ADD COLUMN IF NOT EXISTS revoked_by text,
    ADD COLUMN IF NOT EXISTS changed_by text,
    ADD COLUMN IF NOT EXISTS changed_xid xid8;

UPDATE public.badge_awards SET changed_by = awarded_by WHERE changed_by IS NULL;

ALTER TABLE public.badge_awards
    ALTER COLUMN id SET DEFAULT gen_random_uuid(),
    ALTER COLUMN changed_by SET NOT NULL;

SELECT badges_private.close_to_public('public.badge_awards'::regclass);

-- Of awards of one mentor and definition the earliest stays.
DO $$
DECLARE
    removed record;
BEGIN
    FOR removed IN
        DELETE FROM public.badge_awards a USING (
            SELECT id, row_number() OVER (
                PARTITION BY peer_mentor_id, badge_definition_id
                ORDER BY earned_at, id) AS place
            FROM public.badge_awards
        ) ranked
        WHERE ranked.id = a.id AND ranked.place > 1
        RETURNING a.id, a.peer_mentor_id, a.badge_definition_id, a.earned_at
    LOOP
        RAISE NOTICE 'removed duplicate award % (mentor %, definition %, earned %)', removed.id,
            removed.peer_mentor_id, removed.badge_definition_id, removed.earned_at;
    END LOOP;
END
$$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_index WHERE indrelid = 'public.badge_awards'::regclass
                   AND indisunique AND indisvalid AND indpred IS NULL
                   AND pg_get_indexdef(indexrelid) LIKE '%(peer_mentor_id, badge_definition_id)')
    THEN
        ALTER TABLE public.badge_awards
            ADD CONSTRAINT badge_awards_peer_mentor_id_badge_definition_id_key
            UNIQUE (peer_mentor_id, badge_definition_id);
    END IF;
END
$$;

CREATE UNIQUE INDEX IF NOT EXISTS badge_awards_mentor_identity_idx
    ON public.badge_awards (peer_mentor_id, id);

CREATE INDEX IF NOT EXISTS badge_awards_badge_definition_id_idx
    ON public.badge_awards (badge_definition_id);

ALTER TABLE public.badge_awards
    DROP CONSTRAINT IF EXISTS badge_awards_tier_check,
    DROP CONSTRAINT IF EXISTS badge_awards_revoked_check;

ALTER TABLE public.badge_awards
    ADD CONSTRAINT badge_awards_tier_check CHECK ((tier IS NULL) = (tier_earned_at IS NULL)),
    ADD CONSTRAINT badge_awards_revoked_check CHECK ((revoked_at IS NULL) = (revoked_by IS NULL));

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f'
                   AND conrelid = 'public.badge_awards'::regclass
                   AND confrelid = 'public.peer_mentors'::regclass) THEN
        ALTER TABLE public.badge_awards ADD CONSTRAINT badge_awards_peer_mentor_id_fkey
            FOREIGN KEY (peer_mentor_id) REFERENCES public.peer_mentors
            ON DELETE CASCADE ON UPDATE CASCADE;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_constraint WHERE contype = 'f'
                   AND conrelid = 'public.badge_awards'::regclass
                   AND confrelid = 'public.badge_definitions'::regclass) THEN
        ALTER TABLE public.badge_awards ADD CONSTRAINT badge_awards_badge_definition_id_fkey
            FOREIGN KEY (badge_definition_id) REFERENCES public.badge_definitions
            ON DELETE CASCADE ON UPDATE CASCADE;
    END IF;
END
$$;

-- An event outlives its award, but not its mentor.
CREATE TABLE IF NOT EXISTS public.badge_award_events (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    badge_award_id uuid NOT NULL,
    peer_mentor_id uuid NOT NULL
        REFERENCES public.peer_mentors ON DELETE CASCADE ON UPDATE CASCADE,
    badge_definition_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('granted', 'promoted', 'revoked', 'restored')),
    tier text,
    at timestamptz NOT NULL DEFAULT now(),
    definition_version int,
    source text NOT NULL CHECK (source IN ('stream', 'replay', 'admin')),
    actor text,
    reason text
);

SELECT badges_private.close_to_public('public.badge_award_events'::regclass);

CREATE INDEX IF NOT EXISTS badge_award_events_xid_id_idx ON public.badge_award_events (xid, id);

CREATE INDEX IF NOT EXISTS badge_award_events_peer_mentor_id_idx
    ON public.badge_award_events (peer_mentor_id, id);

CREATE INDEX IF NOT EXISTS badge_award_events_badge_award_id_idx
    ON public.badge_award_events (badge_award_id);

CREATE TABLE IF NOT EXISTS public.peer_mentor_stats (
    peer_mentor_id uuid PRIMARY KEY
        REFERENCES public.peer_mentors ON DELETE CASCADE ON UPDATE CASCADE,
    activity_count int NOT NULL DEFAULT 0,
    minutes_total bigint NOT NULL DEFAULT 0,
    active_days int NOT NULL DEFAULT 0,
    counts_by_type jsonb NOT NULL DEFAULT '{}',
    training_count int NOT NULL DEFAULT 0,
    first_activity_on date,
    last_activity_on date,
    day_streak_longest int NOT NULL DEFAULT 0,
    day_streak_length int NOT NULL DEFAULT 0,
    day_streak_last_on date,
    week_streak_longest int NOT NULL DEFAULT 0,
    week_streak_length int NOT NULL DEFAULT 0,
    week_streak_last_on date,
    month_streak_longest int NOT NULL DEFAULT 0,
    month_streak_length int NOT NULL DEFAULT 0,
    month_streak_last_on date,
    updated_at timestamptz NOT NULL DEFAULT now()
);

SELECT badges_private.close_to_public('public.peer_mentor_stats'::regclass);

CREATE TABLE IF NOT EXISTS public.badge_definition_versions (
    id uuid NOT NULL,
    version int NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    saved_by text NOT NULL,
    deleted boolean NOT NULL DEFAULT false,
    organization_id uuid,
    key text,
    name text,
    description text,
    icon text,
    criteria jsonb,
    counts_from date,
    revocable boolean,
    status text,
    PRIMARY KEY (id, version)
);

SELECT badges_private.close_to_public('public.badge_definition_versions'::regclass);

CREATE TABLE IF NOT EXISTS public.organization_versions (
    id uuid NOT NULL,
    version int NOT NULL,
    saved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    saved_by text NOT NULL,
    timezone text NOT NULL,
    PRIMARY KEY (id, version)
);

SELECT badges_private.close_to_public('public.organization_versions'::regclass);

CREATE TABLE IF NOT EXISTS public.badge_logs (
    log_id text PRIMARY KEY,
    generation int NOT NULL UNIQUE,
    topic text NOT NULL,
    slot text NOT NULL,
    connector text NOT NULL,
    partitions int NOT NULL,
    system_identifier text NOT NULL,
    timeline int NOT NULL,
    state text NOT NULL CHECK (state IN ('filling', 'live', 'closed', 'broken')),
    start_lsn pg_lsn,
    starts bigint[],
    reason text,
    created_at timestamptz NOT NULL DEFAULT now(),
    live_at timestamptz,
    closed_at timestamptz
);

SELECT badges_private.close_to_public('public.badge_logs'::regclass);

CREATE TABLE IF NOT EXISTS public.badge_log_positions (
    log_id text NOT NULL REFERENCES public.badge_logs ON DELETE CASCADE,
    partition int NOT NULL,
    next_offset bigint NOT NULL,
    turn bigint NOT NULL,
    turn_id uuid,
    PRIMARY KEY (log_id, partition)
) WITH (fillfactor = 50);

SELECT badges_private.close_to_public('public.badge_log_positions'::regclass);

CREATE TABLE IF NOT EXISTS public.badge_rule_positions (
    kind text NOT NULL CHECK (kind IN ('definition', 'organization')),
    id uuid NOT NULL,
    version int NOT NULL,
    log_id text NOT NULL,
    partition int NOT NULL,
    turn bigint NOT NULL,
    "offset" bigint NOT NULL,
    PRIMARY KEY (log_id, partition, kind, id, version)
);

SELECT badges_private.close_to_public('public.badge_rule_positions'::regclass);

CREATE TABLE IF NOT EXISTS public.badge_alerts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    detail jsonb NOT NULL DEFAULT '{}',
    resolved_at timestamptz
);

SELECT badges_private.close_to_public('public.badge_alerts'::regclass);

-- At most one open alert of each kind and subject, however many workers raise it.
CREATE UNIQUE INDEX IF NOT EXISTS badge_alerts_one_open_key
    ON public.badge_alerts (kind, (coalesce(detail ->> 'subject', ''))) WHERE resolved_at IS NULL;

-- One row that the connector touches, so that its slot moves while the mentors' tables are quiet.
CREATE TABLE IF NOT EXISTS public.badge_heartbeats (
    id int PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT now()
);

SELECT badges_private.close_to_public('public.badge_heartbeats'::regclass);

INSERT INTO public.badge_heartbeats (id) VALUES (1) ON CONFLICT DO NOTHING;
