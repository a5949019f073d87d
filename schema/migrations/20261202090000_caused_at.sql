-- When the row change that caused an event was committed, by this server's clock: what lies between
-- that and `at` is how long the award took. Null where no row caused it: a new version, the log's
-- start, a replay, a repair or a person did. Null as well of events older than the column.
ALTER TABLE public.badge_award_events ADD COLUMN IF NOT EXISTS caused_at timestamptz;

-- What happened of late, and when a rule awarded last, is asked for every few seconds.
CREATE INDEX IF NOT EXISTS badge_award_events_at_idx ON public.badge_award_events (at);

CREATE INDEX IF NOT EXISTS badge_award_events_badge_definition_id_at_idx
    ON public.badge_award_events (badge_definition_id, at) WHERE kind = 'granted';
