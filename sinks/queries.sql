-- The statements of this room. A block begins with its name; queries.py hands them out.

-- name: position
SELECT p.next_offset, p.turn
FROM badge_log_positions p
JOIN badge_logs l USING (log_id)
WHERE p.log_id = $1 AND p.partition = $2 AND l.state = 'live';

-- name: last_decided
SELECT last_offset, last_sequence FROM badge_log_positions
WHERE log_id = $1 AND partition = $2 AND last_offset IS NOT NULL;

-- name: evaluator
SELECT evaluator FROM badge_log_positions WHERE log_id = $1 AND partition = $2;

-- name: rule_positions
SELECT turn, "offset", kind, id::text AS id, version
FROM badge_rule_positions
WHERE log_id = $1 AND partition = $2 AND turn < $3
ORDER BY turn, kind, id;

-- name: turn_id
SELECT turn_id FROM badge_log_positions WHERE log_id = $1 AND partition = $2;

-- An instant that somebody has written far away, or an infinity, is the nearest one that Python has.
-- name: earned_at
    least(greatest(earned_at, '0001-01-01 00:00+00'), '9999-12-31 23:59:59.999999+00') AS earned_at

-- name: awards
SELECT id, peer_mentor_id, badge_definition_id, definition_version, tier, tier_version, awarded_by,
       revoked_by, changed_by,
       CASE WHEN tier_earned_at IS NOT NULL THEN
           least(greatest(tier_earned_at, '0001-01-01 00:00+00'), '9999-12-31 23:59:59.999999+00')
       END AS tier_earned_at,
       -- As days, an infinity being the nearest date there is: Python's dates end in the year 9999.
       least(greatest(earned_on, '4714-11-24 BC'), '5874897-12-31') - date '1970-01-01'
           AS earned_on,
       CASE WHEN tier_earned_on IS NOT NULL THEN
           least(greatest(tier_earned_on, '4714-11-24 BC'), '5874897-12-31') - date '1970-01-01'
       END AS tier_earned_on,
-- include: earned_at
FROM badge_awards
WHERE peer_mentor_id = ANY ($1)
ORDER BY peer_mentor_id, badge_definition_id;

-- Dates as days, as above.
-- name: stats
SELECT s.peer_mentor_id::text AS peer_mentor_id, activity_count, minutes_total, active_days,
       counts_by_type, training_count,
       first_activity_on - epoch AS first_activity_on, last_activity_on - epoch AS last_activity_on,
       day_streak_longest, day_streak_length, day_streak_last_on - epoch AS day_streak_last_on,
       week_streak_longest, week_streak_length, week_streak_last_on - epoch AS week_streak_last_on,
       month_streak_longest, month_streak_length,
       month_streak_last_on - epoch AS month_streak_last_on
FROM peer_mentor_stats s, CAST('1970-01-01' AS date) AS epoch
WHERE s.peer_mentor_id = ANY ($1);

-- name: move_position
UPDATE badge_log_positions
SET next_offset = $5, turn = turn + 1, turn_id = $7, last_offset = $10, last_sequence = $11,
    evaluator = coalesce($12, evaluator)
WHERE log_id = $2 AND partition = $3 AND next_offset = $4 AND turn = $6
    AND EXISTS (SELECT FROM badge_logs WHERE log_id = $2 AND state = 'live')

-- What `locked` found. The snapshot is older than the locks: a transaction that it shows as over was
-- over before we looked.
-- name: opened
SELECT
    EXISTS (SELECT FROM moved) AS moved,
    pg_current_xact_id()::text AS xid,
    pg_current_snapshot()::text AS snapshot,
    ARRAY (SELECT id FROM locked WHERE kind = 'mentor') AS mentors,
    ARRAY (SELECT id FROM locked WHERE kind = 'definition' ORDER BY id) AS definitions,
    ARRAY (SELECT deleted_version FROM locked WHERE kind = 'definition' ORDER BY id) AS deletions,
    ARRAY (SELECT id FROM locked WHERE kind = 'busy') AS busy;

-- name: begin_turn
WITH moved AS (
    -- include: move_position
    RETURNING turn_id
), taken_up AS (
    INSERT INTO badge_rule_positions (kind, id, version, log_id, partition, turn, "offset")
    SELECT r.kind, r.id, r.version, $2, $3, $6, $4
    FROM moved, jsonb_to_recordset($1) AS r (kind text, id uuid, version int)
    ON CONFLICT DO NOTHING
), locked AS MATERIALIZED (

-- The mentors and definitions of a turn are locked in the statement that moves its position.
-- name: open_turn
-- include: begin_turn
    SELECT * FROM badges_private.lock_for_awards($8, $9)
)
-- include: opened
;

-- The same, without waiting for who has locked them.
-- name: open_turn_at_once
-- include: begin_turn
    SELECT * FROM badges_private.lock_at_once($8, $9)
)
-- include: opened
;

-- name: unfinished
SELECT EXISTS (
    SELECT FROM unnest($1::text[]) AS x
    WHERE NOT pg_visible_in_snapshot(x::xid8, pg_current_snapshot()));

-- name: delete_mentors
SELECT badges_private.depart_mentors($1);

-- The table of which a row is still there that `delete_mentors` has deleted, if any.
-- name: kept_of_deleted
SELECT CASE
    WHEN EXISTS (
        SELECT FROM badge_awards WHERE peer_mentor_id = ANY ($1) AND changed_by = 'rule')
        THEN 'badge_awards'
    WHEN EXISTS (
        SELECT FROM badge_award_events e
        WHERE e.peer_mentor_id = ANY ($1) AND e.source <> 'admin'
            AND NOT EXISTS (SELECT FROM badge_awards a WHERE a.id = e.badge_award_id))
        THEN 'badge_award_events'
    WHEN EXISTS (SELECT FROM peer_mentor_stats WHERE peer_mentor_id = ANY ($1))
        THEN 'peer_mentor_stats'
END;

-- name: asked
WITH asked AS MATERIALIZED (
    SELECT * FROM jsonb_to_recordset($1) AS d (
        place int, kind text, id uuid, peer_mentor_id uuid, badge_definition_id uuid,
        earned_at timestamptz, earned_on int, definition_version int, tier text,
        tier_earned_at timestamptz, tier_earned_on int, revoked_by text, evidence jsonb,
        believed_tier text, believed_revoked_by text, believed_changed_by text, believed_xid bigint,
        decided_by_version int, source text, awarded_by text, caused_at timestamptz)
)

-- Whether an update `d` is to change the row `a`, which is what the fold believes.
-- name: to_update
    d.kind NOT IN ('granted', 'withdrawn') AND a.id = d.id
        -- What the fold believes comes from the log, where long texts are cut.
        AND left(a.tier, 200) IS NOT DISTINCT FROM d.believed_tier
        AND left(a.revoked_by, 200) IS NOT DISTINCT FROM d.believed_revoked_by
        -- Nobody was faster where the rule wrote last: a replay may have written a person's row back.
        AND (a.changed_by = 'rule'
             OR left(a.changed_by, 200) IS NOT DISTINCT FROM d.believed_changed_by)
        AND (d.believed_xid IS NULL OR a.changed_xid IS NULL
             OR d.believed_xid = (a.changed_xid::text::bigint & 4294967295))
        AND (a.tier, a.tier_earned_at, a.revoked_by)
            IS DISTINCT FROM (d.tier, d.tier_earned_at, d.revoked_by)

-- At most one decision of a mentor and badge. Returns the awards that really changed, whether that
-- was noted as an event, and when.
-- name: decide
-- include: asked
, granted AS MATERIALIZED (
    SELECT g AS id
    FROM (
        SELECT array_agg(id) AS ids, array_agg(peer_mentor_id) AS mentors,
            array_agg(badge_definition_id) AS definitions, array_agg(earned_at) AS earned,
            array_agg(date '1970-01-01' + earned_on) AS earned_on,
            array_agg(definition_version) AS versions, array_agg(tier) AS tiers,
            array_agg(tier_earned_at) AS tiers_earned,
            array_agg(date '1970-01-01' + tier_earned_on) AS tiers_earned_on,
            array_agg(evidence) AS evidence, awarded_by
        FROM asked WHERE kind = 'granted'
        -- A replay writes back what people gave as well.
        GROUP BY awarded_by
    ) AS a,
    badges_private.grant_awards(
        a.ids, a.mentors, a.definitions, a.earned, a.earned_on, a.versions, a.tiers,
        a.tiers_earned, a.tiers_earned_on, a.evidence, a.awarded_by) AS g
), withdrawn AS MATERIALIZED (
    SELECT w AS id
    FROM (SELECT array_agg(id) AS ids FROM asked WHERE kind = 'withdrawn') AS a,
    badges_private.withdraw_awards(a.ids) AS w
), updated AS (
    UPDATE badge_awards a
    SET tier = d.tier, tier_earned_at = d.tier_earned_at, revoked_by = d.revoked_by,
        -- What the log does not say, the row may.
        tier_earned_on = CASE WHEN a.tier IS DISTINCT FROM d.tier
            THEN date '1970-01-01' + d.tier_earned_on ELSE a.tier_earned_on END,
        -- Negative, so that the trigger knows that it was given.
        tier_version = CASE WHEN d.tier IS DISTINCT FROM d.believed_tier
            THEN -d.decided_by_version ELSE a.tier_version END,
        revoked_at = CASE WHEN d.revoked_by IS NOT NULL THEN coalesce(a.revoked_at, now()) END
    FROM asked d
    WHERE
    -- include: to_update
    RETURNING a.id
), changed AS MATERIALIZED (
    SELECT id FROM granted UNION ALL SELECT id FROM updated
), noted AS (
    INSERT INTO badge_award_events (
        badge_award_id, peer_mentor_id, badge_definition_id, kind, tier, definition_version, source,
        caused_at)
    SELECT d.id, d.peer_mentor_id, d.badge_definition_id,
        -- An award is granted once: its row may have been lost, and is written back.
        CASE WHEN d.kind = 'granted' AND EXISTS (
            SELECT FROM badge_award_events e
            WHERE e.badge_award_id = d.id AND e.kind = 'granted')
            THEN 'restored' ELSE d.kind END,
        d.tier, d.decided_by_version, d.source, d.caused_at
    FROM asked d JOIN changed USING (id)
    ORDER BY d.place
    RETURNING badge_award_id AS id
)
SELECT id::text AS id, id IN (SELECT id FROM noted) AS noted, clock_timestamp() AS at
FROM changed WHERE id IN (SELECT id FROM asked)
UNION ALL SELECT id::text, true, clock_timestamp() FROM withdrawn;

-- What was to be done by decisions that `decide` has not written, though nothing in the table explains
-- that: no award is in the way of a grant, the row of any other is as believed. One of them at most.
-- name: unexplained
-- include: asked
SELECT 'INSERT' AS operation FROM asked d
WHERE d.kind = 'granted' AND NOT EXISTS (
    SELECT FROM badge_awards a
    WHERE (a.peer_mentor_id, a.badge_definition_id) = (d.peer_mentor_id, d.badge_definition_id))
UNION ALL
SELECT 'DELETE' FROM asked d JOIN badge_awards a ON a.id = d.id
WHERE d.kind = 'withdrawn' AND a.changed_by = 'rule' AND a.awarded_by = 'rule'
    AND NOT EXISTS (
        SELECT FROM badge_awards other
        WHERE (other.peer_mentor_id, other.badge_definition_id)
            = (a.peer_mentor_id, a.badge_definition_id) AND other.id <> a.id)
UNION ALL
SELECT 'UPDATE' FROM asked d JOIN badge_awards a ON
-- include: to_update
LIMIT 1;

-- name: stats_columns
    peer_mentor_id, activity_count, minutes_total, active_days, counts_by_type, training_count,
    first_activity_on, last_activity_on,
    day_streak_longest, day_streak_length, day_streak_last_on,
    week_streak_longest, week_streak_length, week_streak_last_on,
    month_streak_longest, month_streak_length, month_streak_last_on

-- name: replacing_stats
ON CONFLICT (peer_mentor_id) DO UPDATE SET
    activity_count = excluded.activity_count, minutes_total = excluded.minutes_total,
    active_days = excluded.active_days, counts_by_type = excluded.counts_by_type,
    training_count = excluded.training_count, first_activity_on = excluded.first_activity_on,
    last_activity_on = excluded.last_activity_on,
    day_streak_longest = excluded.day_streak_longest,
    day_streak_length = excluded.day_streak_length,
    day_streak_last_on = excluded.day_streak_last_on,
    week_streak_longest = excluded.week_streak_longest,
    week_streak_length = excluded.week_streak_length,
    week_streak_last_on = excluded.week_streak_last_on,
    month_streak_longest = excluded.month_streak_longest,
    month_streak_length = excluded.month_streak_length,
    month_streak_last_on = excluded.month_streak_last_on,
    updated_at = now()

-- name: upsert_stats
INSERT INTO peer_mentor_stats (
-- include: stats_columns
)
SELECT
    s.peer_mentor_id, s.activity_count, s.minutes_total, s.active_days, s.counts_by_type,
    s.training_count, epoch + s.first_activity_on, epoch + s.last_activity_on,
    s.day_streak_longest, s.day_streak_length, epoch + s.day_streak_last_on,
    s.week_streak_longest, s.week_streak_length, epoch + s.week_streak_last_on,
    s.month_streak_longest, s.month_streak_length, epoch + s.month_streak_last_on
FROM CAST('1970-01-01' AS date) AS epoch, present, jsonb_to_recordset($1) AS s (
    peer_mentor_id uuid, activity_count int, minutes_total bigint, active_days int,
    counts_by_type jsonb, training_count int, first_activity_on int, last_activity_on int,
    day_streak_longest int, day_streak_length int, day_streak_last_on int,
    week_streak_longest int, week_streak_length int, week_streak_last_on int,
    month_streak_longest int, month_streak_length int, month_streak_last_on int)
WHERE s.peer_mentor_id = present.id
-- include: replacing_stats
RETURNING peer_mentor_id

-- name: write_stats
WITH present AS (
    SELECT unnest($2::uuid[]) AS id
), written AS (
    -- include: upsert_stats
)
SELECT count(*) FROM written;

-- The common turn, whole, in one statement: stats of mentors who are all there. False, and nothing
-- written, when the position is not what it should be or a mentor is missing. A row that a trigger
-- lets go is an error (22P02), for nothing else takes the statement back.
-- name: write_stats_turn
WITH mentors AS MATERIALIZED (
    SELECT id FROM badges_private.lock_for_awards($8, $9)
), moved AS (
    -- include: move_position
    AND (SELECT count(*) FROM mentors) = cardinality($8)
    RETURNING turn_id
), present AS (
    SELECT mentors.id FROM mentors, moved
), written AS (
    -- include: upsert_stats
)
SELECT CASE
    WHEN NOT EXISTS (SELECT FROM moved) THEN false
    WHEN (SELECT count(*) FROM written) = cardinality($8) THEN true
    ELSE format('%s of %s rows of peer_mentor_stats are written, a trigger returned NULL',
                (SELECT count(*) FROM written), cardinality($8))::boolean
END;

-- name: raise_alert
INSERT INTO badge_alerts (kind, detail) VALUES ($1, $2)
ON CONFLICT (kind, (coalesce(detail ->> 'subject', ''))) WHERE resolved_at IS NULL DO NOTHING
RETURNING id;

-- name: resolve_alert
UPDATE badge_alerts SET resolved_at = now()
WHERE kind = $1 AND coalesce(detail ->> 'subject', '') = $2 AND resolved_at IS NULL;

-- name: open_alerts
SELECT coalesce(detail ->> 'subject', '') AS subject, detail
FROM badge_alerts
WHERE kind = $1 AND resolved_at IS NULL;

-- Rows that differ from their newest version: their triggers were off.
-- name: missed_versions
SELECT kind, id::text AS id, what FROM badges_private.missed_versions() ORDER BY kind, id;

-- Of these ids those that organizations and definitions have or that rows name as theirs, as text.
-- name: rules_in_use
SELECT ARRAY (
    SELECT asked::text FROM unnest($1::uuid[]) AS asked
    WHERE EXISTS (SELECT FROM organizations WHERE id = asked)
        OR EXISTS (SELECT FROM badge_definitions WHERE id = asked)
        OR EXISTS (SELECT FROM peer_mentors WHERE organization_id = asked)
        OR EXISTS (SELECT FROM badge_awards WHERE badge_definition_id = asked));

-- Whether ON CONFLICT (peer_mentor_id, badge_definition_id) has an index to rely on.
-- name: awards_are_unique
SELECT EXISTS (
    SELECT FROM pg_index i
    WHERE i.indrelid = to_regclass('public.badge_awards') AND i.indisunique AND i.indisvalid
        AND i.indpred IS NULL
        AND pg_get_indexdef(i.indexrelid) LIKE '%(peer_mentor_id, badge_definition_id)');

-- name: duplicate_awards
SELECT id::text AS id, peer_mentor_id::text AS peer_mentor_id,
       badge_definition_id::text AS badge_definition_id, kept_id::text AS kept_id,
       -- include: earned_at
FROM (
    SELECT id, peer_mentor_id, badge_definition_id, earned_at,
           row_number() OVER pair AS place, first_value(id) OVER pair AS kept_id
    FROM public.badge_awards
    WINDOW pair AS (PARTITION BY peer_mentor_id, badge_definition_id ORDER BY earned_at, id)
) AS ranked
WHERE place > 1
ORDER BY ranked.peer_mentor_id, ranked.badge_definition_id, place;

-- Slots of the publication $1 that nobody reads, aside from the live generation's ($2) and while a
-- command is making or mending a log: a snapshot may leave its slot alone for hours.
-- name: unread_slots
SELECT slot_name::text AS slot,
       (pg_current_wal_insert_lsn() - restart_lsn)::bigint AS retained_bytes
FROM pg_replication_slots
WHERE database = current_database() AND NOT active AND slot_name <> $2
    AND slot_name ~ ('^' || $1 || '_[0-9]+$')
    AND NOT EXISTS (
        SELECT FROM pg_locks
        WHERE locktype = 'advisory' AND (classid::bigint << 32) + objid::bigint
            = hashtextextended('badges provision', 0)
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))
ORDER BY slot_name;

-- Each time zone in use, and its offsets from UTC in seconds at noon of the first of every month
-- from $1 on, $2 of them; null where Postgres does not know the zone.
-- name: time_zones
SELECT used.name, used.organizations,
       CASE WHEN used.name IN (SELECT name FROM pg_timezone_names) THEN ARRAY (
           SELECT extract(epoch FROM (noon AT TIME ZONE 'UTC' AT TIME ZONE used.name) - noon)::int
           FROM (
               SELECT $1::date + interval '12 hours' + make_interval(months => n) AS noon
               FROM generate_series(0, $2::int - 1) AS n
           ) AS sampled
           ORDER BY noon)
       END AS offsets
FROM (
    SELECT coalesce(timezone, 'Europe/Oslo') AS name, count(*) AS organizations
    FROM organizations GROUP BY 1
) AS used
ORDER BY used.name;
