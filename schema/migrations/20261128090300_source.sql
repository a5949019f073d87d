-- What each generation of the log was filled from, so that it shows when the source changes.
--
--   columns      of each table the columns that were published when the generation was begun: a
--                record that lacks one of them is none of this log
--   fingerprint  tables, publication, columns, identities and our triggers, as they must stay;
--                `badges migrate` takes it anew where it changes any of them itself

ALTER TABLE public.badge_logs
    ADD COLUMN IF NOT EXISTS columns jsonb,
    ADD COLUMN IF NOT EXISTS fingerprint jsonb;

-- Every generation from before was filled with these.
UPDATE public.badge_logs SET columns = '{
    "peer_mentors": ["id", "organization_id", "active"],
    "activities": ["id", "peer_mentor_id", "activity_type", "activity_date", "duration_minutes"],
    "training_completions": ["id", "peer_mentor_id", "course_code", "completed_on"],
    "mentor_pauses": ["id", "peer_mentor_id", "starts_on", "ends_on"],
    "badge_awards": ["id", "peer_mentor_id", "badge_definition_id", "earned_at",
        "definition_version", "tier", "tier_earned_at", "awarded_by", "revoked_by", "changed_by"],
    "badge_heartbeats": ["id", "at"]
}' WHERE columns IS NULL;

-- What tells that Kafka has lost the log's end: the last record that is decided, by its offset and
-- its place in the WAL (Debezium's source.sequence), and the highest end that was ever seen.
ALTER TABLE public.badge_log_positions
    ADD COLUMN IF NOT EXISTS last_offset bigint,
    ADD COLUMN IF NOT EXISTS last_sequence text,
    ADD COLUMN IF NOT EXISTS highest_end bigint;

GRANT UPDATE (last_offset, last_sequence, highest_end) ON public.badge_log_positions
    TO badges_worker;
