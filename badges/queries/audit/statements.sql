-- What the audit asks of awards.

-- Mentors after an id ($4), by id: of an organization ($1) or of all, some ($3) or all. With a date
-- ($2) those alone of whom anything was decided since, or who have an award that was earned, given or
-- revoked since.
-- name: mentors
SELECT m.id, m.organization_id, m.active IS NOT FALSE AS active
FROM peer_mentors m
WHERE m.id > $4 AND ($1::uuid IS NULL OR m.organization_id = $1)
    AND ($3::uuid[] IS NULL OR m.id = ANY ($3))
    AND ($2::date IS NULL
        OR NOT EXISTS (
            SELECT FROM peer_mentor_stats s
            WHERE s.peer_mentor_id = m.id AND s.updated_at < $2::timestamp AT TIME ZONE 'UTC')
        OR EXISTS (
            SELECT FROM badge_awards a
            WHERE a.peer_mentor_id = m.id
                AND (a.earned_on >= $2
                     OR greatest(a.awarded_at, a.revoked_at) >= $2::timestamp AT TIME ZONE 'UTC')))
ORDER BY m.id LIMIT $5;

-- The versions of each definition since it was last inserted, in the order in which the newest of
-- them were saved. The newest is in effect once every partition of the live generation took it up.
-- One that was saved while its triggers were off has none, and is never in effect.
-- name: versions
SELECT d.id, d.organization_id, d.key, d.status = 'active' AS active,
       coalesce(v.version, d.version) AS version,
       v.criteria::text AS criteria, coalesce(v.revocable, false) AS revocable,
       v.version IS NOT DISTINCT FROM d.version AS is_newest, NOT EXISTS (
           SELECT FROM badge_logs l, generate_series(0, l.partitions - 1) AS p (place)
           WHERE l.state = 'live' AND NOT EXISTS (
               SELECT FROM badge_rule_positions r
               WHERE r.log_id = l.log_id AND r.partition = p.place AND r.kind = 'definition'
                   AND r.id = d.id AND r.version >= d.version)) AS in_effect
FROM badge_definitions d
LEFT JOIN badge_definition_versions v ON v.id = d.id AND NOT v.deleted AND v.version > coalesce((
    SELECT max(gone.version) FROM badge_definition_versions gone
    WHERE gone.id = d.id AND gone.deleted), 0)
LEFT JOIN badge_definition_versions newest ON newest.id = d.id AND newest.version = d.version
ORDER BY newest.saved_at, d.id, v.version;

-- How much there is about some mentors ($1).
-- name: counted
SELECT (SELECT count(*) FROM badge_awards WHERE peer_mentor_id = ANY ($1)) AS awards,
       (SELECT count(*) FROM peer_mentor_stats WHERE peer_mentor_id = ANY ($1)) AS stats;

-- Whose decisions wait because Postgres refuses to write them; of a mentor who left, all do.
-- name: waiting
SELECT DISTINCT w.peer_mentor_id, w.badge_definition_id
FROM badge_refused_writes w
WHERE w.peer_mentor_id = ANY ($1) AND w.kind <> 'stats';

-- Columns of an award `a` that whoever judges it needs. On record is what somebody's event tells of,
-- and what was there before any generation of the log went live.
-- name: award
       a.id, a.badge_definition_id, a.definition_version, a.tier, a.tier_version, a.awarded_by,
       a.revoked_by, a.dated_by, a.evidence::text AS evidence,
       jsonb_build_object(
           'earned_on', a.earned_on, 'earned_at', a.earned_at, 'tier', a.tier,
           'tier_earned_on', a.tier_earned_on, 'tier_earned_at', a.tier_earned_at,
           'revoked_by', a.revoked_by, 'awarded_by', a.awarded_by,
           'definition_version', a.definition_version)::text AS found,
       EXISTS (
           SELECT FROM badge_award_events e WHERE e.badge_award_id = a.id AND e.kind = 'granted')
       OR NOT EXISTS (SELECT FROM badge_logs l WHERE l.live_at <= a.awarded_at) AS is_on_record,

-- Where a version ($3) of a definition ($2), by the rows of some mentors ($1) as they are now, and
-- the awards that there are do not go together. A held tier may be above the one that is reached.
-- name: compare
WITH expected AS MATERIALIZED (
    SELECT h.*
    FROM badge_definition_versions v
    CROSS JOIN LATERAL badges_private.holders($1, v.criteria, v.counts_from) AS h
    WHERE v.id = $2 AND v.version = $3
),
held AS MATERIALIZED (
    SELECT b.* FROM badge_awards b
    WHERE b.badge_definition_id = $2 AND b.peer_mentor_id = ANY ($1)
)
SELECT
-- include: award
       m.id AS peer_mentor_id, e.peer_mentor_id IS NOT NULL AS holds, e.tier AS tier_reached,
       e.earned_on IS NOT DISTINCT FROM a.earned_on AS same_date,
       jsonb_build_object(
           'earned_on', e.earned_on,
           'earned_at', badges_private.first_instant(e.earned_on, home.zone),
           'tier', e.tier, 'tier_earned_on', e.tier_earned_on,
           'tier_earned_at', badges_private.first_instant(e.tier_earned_on, home.zone),
           'definition_version', $3::int)::text AS expected
FROM expected e
FULL JOIN held a ON a.peer_mentor_id = e.peer_mentor_id
JOIN peer_mentors m ON m.id = coalesce(a.peer_mentor_id, e.peer_mentor_id)
CROSS JOIN LATERAL (SELECT badges_private.zone_of(m.id) AS zone) AS home
WHERE a.id IS NULL OR CASE
    WHEN e.peer_mentor_id IS NULL THEN a.revoked_by IS NULL AND a.awarded_by = 'rule'
    ELSE a.revoked_by = 'rule'
        OR a.revoked_by IS NULL AND e.tier IS NOT NULL AND e.tier IS DISTINCT FROM a.tier
        OR a.awarded_by = 'rule' AND e.earned_on <> a.earned_on END;

-- For which of some mentors ($1) a version ($3) of a definition ($2) gives which date.
-- name: dates
SELECT h.peer_mentor_id, to_jsonb(h.earned_on) #>> '{}' AS earned_on
FROM badge_definition_versions v
CROSS JOIN LATERAL badges_private.holders($1, v.criteria, v.counts_from) AS h
WHERE v.id = $2 AND v.version = $3;

-- Awards of some mentors ($1) that do not go together with themselves or with their events, whatever
-- the rows are now, or that nothing and nobody tells of.
--   is_proven   the date is the one that the evidence says, or the evidence says none
--   is_strict   the rule dated it, so that earned_at is no instant of the day but its first
--   begins      earned_at is the first instant at which the date has come where the organization of
--               the badge, or of the mentor, is or ever was; begins_elsewhere: where any is or was
--   lies        earned_at lies on its date anywhere; tier_lies: tier_earned_at does
--   was_revoked, told_tier, by_whom    what the newest events say; null where there are none
-- name: records
WITH known AS (
    SELECT v.id, v.timezone FROM organization_versions v
    UNION SELECT o.id, coalesce(o.timezone, 'Europe/Oslo') FROM organizations o
),
zones AS MATERIALIZED (
    SELECT DISTINCT k.id, coalesce(z.name, 'UTC') AS name
    FROM known k LEFT JOIN badges_private.time_zones z ON z.name = k.timezone
),
everywhere AS MATERIALIZED (SELECT z.name FROM zones z UNION SELECT 'UTC'),
held AS MATERIALIZED (
    -- Evidence may have been written by anybody: a day too many in its month is no error.
    SELECT b.*, CASE
               WHEN b.awarded_by = 'rule' AND b.evidence ?| '{position,audit}'
                   AND b.evidence ->> 'earned_on'
                   ~ '^(?!0000)[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$'
               THEN make_date(left(b.evidence ->> 'earned_on', 4)::int,
                              substr(b.evidence ->> 'earned_on', 6, 2)::int, 1)
                   + right(b.evidence ->> 'earned_on', 2)::int - 1
           END AS shown_on,
           coalesce(d.organization_id, m.organization_id) AS home
    FROM badge_awards b
    JOIN peer_mentors m ON m.id = b.peer_mentor_id
    JOIN badge_definitions d ON d.id = b.badge_definition_id
    WHERE b.peer_mentor_id = ANY ($1)
),
judged AS (
    SELECT a.id,
           coalesce(a.dated_by, 'audit') <> 'audit' OR coalesce(a.shown_on = least(greatest(
               a.earned_on, date '0001-01-01'), date '9999-12-31'), true) AS proven,
           EXISTS (
               SELECT FROM zones z
               WHERE z.id = a.home
                   AND (a.earned_at AT TIME ZONE z.name)::date >= a.earned_on
                   AND ((a.earned_at - interval '1 microsecond') AT TIME ZONE z.name)::date
                       < a.earned_on) AS begins,
           told.*
    FROM held a
    LEFT JOIN LATERAL (
        SELECT (array_agg(e.kind ORDER BY e.id DESC) FILTER (WHERE e.kind <> 'promoted'))[1]
                   AS state,
               (array_agg(e.actor ORDER BY e.id DESC) FILTER (WHERE e.kind <> 'promoted'))[1]
                   AS by_whom,
               (array_agg(e.tier ORDER BY e.id DESC)
                   FILTER (WHERE e.kind IN ('granted', 'promoted') AND e.tier IS NOT NULL))[1]
                   AS told_tier
        FROM badge_award_events e WHERE e.badge_award_id = a.id
    ) AS told ON true
)
SELECT * FROM (
    SELECT
    -- include: award
           a.peer_mentor_id, j.proven AS is_proven, j.begins, j.state = 'revoked' AS was_revoked, j.by_whom,
           j.told_tier,
           -- Before people's dates were noted, whoever wrote the row last may have written them.
           a.evidence ?| '{position,audit}' AND coalesce(a.dated_by, 'audit') = 'audit'
               AND (a.shown_on IS NOT NULL OR a.changed_by IN ('rule', 'audit')) AS is_strict,
           j.begins OR EXISTS (
               SELECT FROM everywhere z
               WHERE (a.earned_at AT TIME ZONE z.name)::date >= a.earned_on
                   AND ((a.earned_at - interval '1 microsecond') AT TIME ZONE z.name)::date
                       < a.earned_on) AS begins_elsewhere,
           j.begins OR EXISTS (
               SELECT FROM everywhere z
               WHERE (a.earned_at AT TIME ZONE z.name)::date = a.earned_on) AS lies,
           a.tier_earned_at IS NULL OR EXISTS (
               SELECT FROM everywhere z
               WHERE (a.tier_earned_at AT TIME ZONE z.name)::date = a.tier_earned_on) AS tier_lies,
           (SELECT jsonb_build_object(
               'earned_on', due.day, 'earned_at', badges_private.first_instant(due.day, zone.name),
               'tier_earned_on', a.tier_earned_on,
               'tier_earned_at', badges_private.first_instant(a.tier_earned_on, zone.name))
            FROM (SELECT CASE WHEN j.proven THEN a.earned_on ELSE a.shown_on END AS day)
                AS due)::text AS expected
    FROM judged j
    JOIN held a ON a.id = j.id
    -- The time zone that was in effect as the award was given.
    CROSS JOIN LATERAL (
        SELECT coalesce((
            SELECT z.name FROM organization_versions v
            JOIN badges_private.time_zones z ON z.name = v.timezone
            WHERE v.id = a.home AND v.saved_at <= a.awarded_at
            ORDER BY v.version DESC LIMIT 1
        ), badges_private.zone_of(a.peer_mentor_id)) AS name
    ) AS zone
    WHERE NOT j.proven OR NOT j.begins OR j.state IS NULL OR a.tier IS NOT NULL
        OR (j.state = 'revoked') <> (a.revoked_by IS NOT NULL)
) AS found
WHERE NOT is_proven OR NOT lies OR NOT tier_lies OR was_revoked <> (revoked_by IS NOT NULL)
    OR left(told_tier, 200) <> left(tier, 200)
    OR awarded_by = 'rule' AND (NOT is_on_record OR is_strict AND NOT begins);

-- What the evidence of some awards ($1) names: how many rows, and how many of them are the mentor's no
-- longer.
-- name: evidence
SELECT a.id, a.dated_by, a.evidence ?| '{position,audit}' AS is_ours, count(r.id) AS named,
       count(*) FILTER (WHERE r.id NOT IN (
           SELECT x.id::text FROM activities x WHERE x.peer_mentor_id = a.peer_mentor_id
           UNION ALL
           SELECT t.id::text FROM training_completions t
           WHERE t.peer_mentor_id = a.peer_mentor_id)) AS gone
FROM badge_awards a
LEFT JOIN LATERAL jsonb_array_elements_text(
    CASE jsonb_typeof(a.evidence -> 'rows') WHEN 'array' THEN a.evidence -> 'rows' ELSE '[]' END
) AS r (id) ON true
WHERE a.id = ANY ($1)
GROUP BY a.id;
