-- What an audit found, written as it should be: awards and statistics of mentors whose partition's
-- position the transaction holds. Triggers stamp awards and note their events, because the transaction
-- says that it is the audit's.

-- name: hold_partition
SELECT true FROM badge_log_positions WHERE log_id = $1 AND partition = $2 FOR UPDATE;

-- Nobody changes an award between the look at it and what is written of it.
-- name: hold_awards
SELECT FROM badge_awards
WHERE peer_mentor_id = ANY ($1) AND badge_definition_id = ANY ($2)
ORDER BY id FOR NO KEY UPDATE;

-- name: act_as_audit
SELECT set_config('badges.writer', 'audit', true), set_config('lock_timeout', '5s', true);

-- name: hold_subjects
SELECT * FROM badges_private.lock_for_awards($1, $2);

-- What should be, of awards by mentor and definition.
-- name: should_be
WITH asked AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1::text::jsonb) AS d (
        peer_mentor_id uuid, badge_definition_id uuid, earned_at timestamptz, earned_on date,
        definition_version int, tier text, tier_earned_at timestamptz, tier_earned_on date,
        revoked_by text, audit bigint)
)

-- The evidence says what SQL knows of it: how much each part amounts to that holds and has no parts.
-- name: repair_missing
-- include: should_be
, proven AS (
    SELECT d.*, jsonb_build_object(
               'definition_version', d.definition_version, 'earned_on', d.earned_on,
               'rows', '[]'::jsonb, 'counts', coalesce(m.counts, '{}'), 'audit', d.audit) AS evidence
    FROM asked d
    JOIN badge_definitions b ON b.id = d.badge_definition_id
    CROSS JOIN LATERAL (
        SELECT jsonb_object_agg(n.path, n.amount) AS counts
        FROM badges_private.measure(ARRAY[d.peer_mentor_id], b.criteria, b.counts_from) AS n
        WHERE n.holds AND n.path !~ '[.]tiers'
            AND jsonb_path_query_first(b.criteria, n.path::jsonpath) -> 'of' IS NULL
    ) AS m
), granted AS (
    SELECT g
    FROM (
        SELECT array_agg(gen_random_uuid()) AS ids, array_agg(peer_mentor_id) AS mentors,
               array_agg(badge_definition_id) AS definitions, array_agg(earned_at) AS earned,
               array_agg(earned_on) AS earned_on, array_agg(definition_version) AS versions,
               array_agg(tier) AS tiers, array_agg(tier_earned_at) AS tiers_earned,
               array_agg(tier_earned_on) AS tiers_earned_on, array_agg(evidence) AS evidence
        FROM proven
    ) AS a,
    badges_private.grant_awards(
        a.ids, a.mentors, a.definitions, a.earned, a.earned_on, a.versions, a.tiers,
        a.tiers_earned, a.tiers_earned_on, a.evidence, 'rule') AS g
)
SELECT count(*) FROM granted;

-- name: repair_date
-- include: should_be
, written AS (
    UPDATE badge_awards a
    SET earned_at = coalesce(d.earned_at, a.earned_at), earned_on = coalesce(d.earned_on, a.earned_on),
        tier_earned_at = coalesce(d.tier_earned_at, a.tier_earned_at),
        tier_earned_on = coalesce(d.tier_earned_on, a.tier_earned_on),
        -- Where the evidence says the date, it goes on saying the same.
        evidence = CASE
            WHEN a.evidence ? 'earned_on' AND d.earned_on IS NOT NULL
            THEN jsonb_set(a.evidence, '{earned_on}', to_jsonb(least(greatest(
                d.earned_on, date '0001-01-01'), date '9999-12-31')))
            ELSE a.evidence END
    FROM asked d
    WHERE a.peer_mentor_id = d.peer_mentor_id AND a.badge_definition_id = d.badge_definition_id
    RETURNING a.id
)
SELECT count(*) FROM written;

-- name: repair_tier
-- include: should_be
, written AS (
    UPDATE badge_awards a
    SET tier = d.tier, tier_earned_at = d.tier_earned_at, tier_earned_on = d.tier_earned_on,
        -- Negative, so that the trigger knows that it was given: the version of the event that gave
        -- that tier, or the one that says now that it is reached.
        tier_version = -coalesce(
            (SELECT e.definition_version FROM badge_award_events e
             WHERE e.badge_award_id = a.id AND e.tier = d.tier ORDER BY e.id DESC LIMIT 1),
            (SELECT b.version FROM badge_definitions b WHERE b.id = a.badge_definition_id))
    FROM asked d
    WHERE a.peer_mentor_id = d.peer_mentor_id AND a.badge_definition_id = d.badge_definition_id
    RETURNING a.id
)
SELECT count(*) FROM written;

-- name: repair_revocation
-- include: should_be
, written AS (
    UPDATE badge_awards a
    SET revoked_by = d.revoked_by,
        revoked_at = CASE WHEN d.revoked_by IS NOT NULL THEN coalesce(a.revoked_at, now()) END
    FROM asked d
    WHERE a.peer_mentor_id = d.peer_mentor_id AND a.badge_definition_id = d.badge_definition_id
    RETURNING a.id
)
SELECT count(*) FROM written;

-- What is not said of a mentor's statistics stays as it is.
-- name: repair_stats
WITH written AS (
    INSERT INTO peer_mentor_stats (
    -- include: stats_columns
    )
    SELECT
    -- include: stats_columns
    FROM (
        SELECT (jsonb_populate_record(
                   s, r.stats || jsonb_build_object('peer_mentor_id', r.peer_mentor_id))).*
        FROM jsonb_to_recordset($1::text::jsonb) AS r (peer_mentor_id uuid, stats jsonb)
        LEFT JOIN peer_mentor_stats s ON s.peer_mentor_id = r.peer_mentor_id
    ) AS right_now
    -- include: replacing_stats
    RETURNING peer_mentor_id
)
SELECT count(*) FROM written;
