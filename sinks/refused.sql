-- The statements about badge_refused_writes, in the form of queries.sql. Of every partition's, $1 is
-- the log's id and $2 the partition.

-- name: waits
SELECT EXISTS (SELECT FROM badge_refused_writes WHERE log_id = $1 AND partition = $2);

-- name: reasons
SELECT DISTINCT sqlstate, refused_by FROM badge_refused_writes
WHERE log_id = $1 AND partition = $2 AND sqlstate IS NOT NULL;

-- A retry without a turn is fenced like one: whoever moves the position meanwhile waits for us.
-- name: hold_position
SELECT true FROM badge_log_positions p
WHERE p.log_id = $1 AND p.partition = $2 AND p.next_offset = $3 AND p.turn = $4
    AND EXISTS (SELECT FROM badge_logs l WHERE l.log_id = $1 AND l.state = 'live')
FOR UPDATE OF p;

-- What may be tried, longest untried first: nothing of the same award waits before it, nor the
-- delete of its mentor; what waits before such a delete is void, and goes with it. $3 have been
-- tried already. What somebody else has locked, such as a transaction that deletes its mentor or
-- definition and is still open, is not waited for.
-- name: heads
SELECT w.id, w.kind, w.decision::text AS decision
FROM badge_refused_writes w
WHERE w.log_id = $1 AND w.partition = $2 AND w.id <> ALL ($3)
    AND NOT EXISTS (
        SELECT FROM badge_refused_writes e
        WHERE e.log_id = $1 AND e.partition = $2 AND e.peer_mentor_id = w.peer_mentor_id
            AND CASE
                WHEN e.id > w.id OR w.kind = 'departed' THEN e.id > w.id AND e.kind = 'departed'
                WHEN e.id < w.id THEN e.kind = 'departed'
                    OR e.badge_definition_id IS NOT DISTINCT FROM w.badge_definition_id END)
ORDER BY w.last_at, w.id
LIMIT $4
FOR UPDATE OF w SKIP LOCKED;

-- name: lock_at_once
SELECT kind, id::text AS id, deleted_version FROM badges_private.lock_at_once($1, $2);

-- Of these mentors and definitions the pairs that have an award: a row of other id is in the way.
-- name: held_already
SELECT a.id::text AS id, a.peer_mentor_id::text AS mentor, a.badge_definition_id::text AS definition
FROM badge_awards a
JOIN unnest($1::uuid[], $2::uuid[]) AS w (mentor, definition)
    ON (a.peer_mentor_id, a.badge_definition_id) = (w.mentor, w.definition);

-- name: forget_waiting
DELETE FROM badge_refused_writes WHERE id = ANY ($1);

-- name: note_refused
UPDATE badge_refused_writes w
SET tries = w.tries + 1, last_at = clock_timestamp(), sqlstate = r.sqlstate, message = r.message,
    refused_by = r.refused_by
FROM unnest($1::bigint[], $2::text[], $3::text[], $4::text[])
    AS r (id, sqlstate, message, refused_by)
WHERE w.id = r.id;

-- Drops what waits of mentors who left ($3): all of it, or (of $4) what waits before this row. Returns
-- the mentors of whom somebody else has locked some of it, so that it stays.
-- name: forget_deleted
WITH void AS MATERIALIZED (
    SELECT w.id, w.peer_mentor_id
    FROM badge_refused_writes w JOIN unnest($3::uuid[], $4::bigint[]) AS left_ (mentor, before)
        ON w.peer_mentor_id = left_.mentor AND (left_.before IS NULL OR w.id < left_.before)
    WHERE w.log_id = $1 AND w.partition = $2
), free AS MATERIALIZED (
    SELECT id FROM badge_refused_writes WHERE id IN (SELECT id FROM void)
    ORDER BY id FOR UPDATE SKIP LOCKED
), forgotten AS (
    DELETE FROM badge_refused_writes WHERE id IN (SELECT id FROM free)
)
SELECT DISTINCT peer_mentor_id::text AS mentor FROM void WHERE id NOT IN (SELECT id FROM free);

-- Drops the rows of statistics, but for those that somebody else has locked; returns both.
-- name: replace_stats
WITH free AS MATERIALIZED (
    SELECT id FROM badge_refused_writes
    WHERE log_id = $1 AND partition = $2 AND kind = 'stats' AND peer_mentor_id = ANY ($3)
    ORDER BY id FOR UPDATE SKIP LOCKED
), replaced AS (
    DELETE FROM badge_refused_writes WHERE id IN (SELECT id FROM free)
)
SELECT peer_mentor_id::text AS mentor, since, tries, id NOT IN (SELECT id FROM free) AS stays
FROM badge_refused_writes
WHERE log_id = $1 AND partition = $2 AND kind = 'stats' AND peer_mentor_id = ANY ($3)
ORDER BY id DESC;

-- What has to queue: further changes of these awards (definition null: all about the mentor).
-- name: queues
SELECT DISTINCT peer_mentor_id::text AS mentor, badge_definition_id::text AS definition
FROM badge_refused_writes
WHERE log_id = $1 AND partition = $2 AND kind <> 'stats' AND peer_mentor_id = ANY ($3);

-- name: set_aside
INSERT INTO badge_refused_writes (
    log_id, partition, kind, peer_mentor_id, badge_definition_id, badge_award_id, decision, sqlstate,
    message, refused_by, since, tries, last_at)
SELECT $1, $2, w.kind, w.mentor, w.definition, w.award, w.decision::json, w.sqlstate, w.message,
    w.refused_by, coalesce(w.since, now()), w.tries, clock_timestamp()
FROM unnest($3::text[], $4::uuid[], $5::uuid[], $6::uuid[], $7::text[], $8::text[], $9::text[],
            $10::text[], $11::timestamptz[], $12::int[]) WITH ORDINALITY
    AS w (kind, mentor, definition, award, decision, sqlstate, message, refused_by, since, tries,
          place)
ORDER BY w.place;

-- name: waiting_decisions
SELECT kind, decision::text AS decision FROM badge_refused_writes
WHERE log_id = $1 AND partition = $2 AND peer_mentor_id = ANY ($3) AND kind <> 'stats'
ORDER BY id;

-- What will become of rows of statistics, deletes of their mentors included.
-- name: waiting_stats
SELECT kind, decision::text AS decision FROM badge_refused_writes
WHERE log_id = $1 AND partition = $2 AND peer_mentor_id = ANY ($3) AND kind IN ('stats', 'departed')
ORDER BY id;

-- Whoever moves the position waits for us, wherever it is.
-- name: keep_position
SELECT p.next_offset, p.turn FROM badge_log_positions p
WHERE p.log_id = $1 AND p.partition = $2
    AND EXISTS (SELECT FROM badge_logs l WHERE l.log_id = $1 AND l.state = 'live')
FOR UPDATE OF p;

-- Why anything waits, in whichever partition: a row for each subject of an alert. What no trigger,
-- constraint or lock is known of is told by table and SQLSTATE: so alerts are few, whatever waits.
-- Of count 0 are the functions that writing needs and the worker may not execute.
-- name: refusals
SELECT left(w.subject, 200) AS subject, (array_agg(w.sqlstate ORDER BY w.since, w.id))[1] AS sqlstate,
    (array_agg(w.message ORDER BY w.since, w.id))[1] AS message, max(w.refused_by) AS refused_by,
    CASE WHEN count(DISTINCT w.badge_definition_id) = 1 THEN max(w.badge_definition_id::text) END
        AS badge_definition_id,
    count(*) AS count, min(w.since) AS since,
    coalesce((array_agg(DISTINCT m.organization_id::text)
              FILTER (WHERE m.organization_id IS NOT NULL))[1:20], '{}') AS organizations
FROM (
    SELECT coalesce(refused_by,
                    CASE kind WHEN 'stats' THEN 'peer_mentor_stats ' ELSE 'badge_awards ' END
                    || sqlstate)
           AS subject, *
    FROM badge_refused_writes WHERE sqlstate IS NOT NULL
) AS w
LEFT JOIN peer_mentors m ON m.id = w.peer_mentor_id
GROUP BY 1
UNION ALL
SELECT 'function badges_private.' || f.name, '42501', format(
    'the worker may not execute badges_private.%s, or it is missing', f.name), NULL, NULL, 0, now(),
    '{}'
FROM unnest(ARRAY[
    'lock_for_awards', 'lock_at_once', 'grant_awards', 'withdraw_awards', 'depart_mentors'
]) AS f (name)
WHERE NOT EXISTS (
    SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'badges_private' AND p.proname = f.name
        AND has_schema_privilege(n.oid, 'USAGE') AND has_function_privilege(p.oid, 'EXECUTE'))
ORDER BY 1;

-- Up to three triggers `t`; those on the tables that a worker writes, if any of them is on one.
-- name: named_triggers
SELECT string_agg(named.name, ', ' ORDER BY named.name) FILTER (WHERE named.place <= 3)
    || CASE WHEN count(*) > 3 THEN format(' and %s more', count(*) - 3) ELSE '' END
FROM (
    SELECT format('trigger %I on %s', t.tgname, t.tgrelid::regclass) AS name,
        row_number() OVER (ORDER BY t.tgrelid::regclass::text, t.tgname) AS place
    FROM (
        SELECT *, rank() OVER (ORDER BY tgrelid NOT IN (
            'badge_awards'::regclass, 'badge_award_events'::regclass, 'peer_mentor_stats'::regclass
        )) AS nearness
        FROM pg_trigger
        WHERE NOT tgisinternal AND tgenabled IN ('O', 'A')

-- The triggers whose function this is.
-- name: triggers_of
-- include: named_triggers
            AND tgfoid = to_regprocedure($1)
    ) AS t
    WHERE t.nearness = 1
) AS named;

-- The triggers that may let a row of this table ($1) go before an operation ($2), ours aside. The bits
-- of tgtype: 1 for each row, 2 before, 4 INSERT, 8 DELETE, 16 UPDATE.
-- name: triggers_before
-- include: named_triggers
            AND tgrelid = to_regclass($1) AND tgtype & 3 = 3
            AND tgtype & CASE $2 WHEN 'DELETE' THEN 8 WHEN 'UPDATE' THEN 16 WHEN 'INSERT' THEN 4 ELSE 20 END <> 0
            AND tgfoid NOT IN (
                SELECT oid FROM pg_proc WHERE pronamespace = to_regnamespace('badges_private'))
    ) AS t
    WHERE t.nearness = 1
) AS named;

-- name: found
SELECT found::text FROM badge_logs WHERE log_id = $1;

-- name: open_waits
SELECT id, kind, peer_mentor_id::text AS mentor, decision::text AS decision
FROM badge_refused_writes ORDER BY id FOR UPDATE;

-- name: carry_over
UPDATE badge_refused_writes w SET log_id = $1, partition = p.partition, tries = 0
FROM unnest($2::uuid[], $3::int[]) AS p (mentor, partition)
WHERE w.peer_mentor_id = p.mentor;

-- name: forget_gone
DELETE FROM badge_refused_writes w
WHERE NOT EXISTS (SELECT FROM peer_mentors m WHERE m.id = w.peer_mentor_id);

-- name: note_found
UPDATE badge_logs SET found = $2::text::json WHERE log_id = $1;
