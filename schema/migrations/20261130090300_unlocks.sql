-- The unlock feed: what happened to awards, each event once for everybody who follows.
--
-- A place in the feed is a cursor, opaque to clients, in one of two forms:
--
--   1.CLUSTER.TOP.UPTO              all that the snapshot UPTO sees has been sent
--   1.CLUSTER.TOP.UPTO.SEEN.LAST    all that SEEN sees, and of what UPTO sees beyond that (a batch,
--                                   sent in the order of ids) the events up to the id LAST
--
-- CLUSTER is the system identifier of the cluster whose transactions the snapshots speak of, TOP
-- the highest id that was sent: in another cluster the feed goes on behind that.
--
-- Ids are handed out before the commit, so `id > last` would skip some; and everything below
-- pg_snapshot_xmin would be held back by one transaction that is left open. Two snapshots do
-- neither: a transaction delays its own events and nobody else's.

-- The snapshot of the statement, with two differences. The transaction at hand is open too, which
-- it does not see itself. And no more than `most_open` open transactions are named, for cursors have
-- to be short: from the next one on everything counts as not yet visible.
CREATE OR REPLACE FUNCTION badges_private.unlock_snapshot(most_open int DEFAULT 256)
RETURNS pg_snapshot
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    present pg_snapshot := pg_current_snapshot();
    upper xid8 := pg_snapshot_xmax(present);
    is_open xid8[] := ARRAY (
        SELECT x FROM pg_snapshot_xip(present) AS x
        UNION SELECT x FROM pg_current_xact_id_if_assigned() AS x WHERE x < upper
        ORDER BY 1 LIMIT most_open + 1);
BEGIN
    IF cardinality(is_open) > most_open THEN
        upper := is_open[most_open + 1];
        is_open := is_open[:most_open];
    END IF;
    RETURN format('%s:%s:%s', coalesce(is_open[1], upper), upper, array_to_string(is_open, ','));
END
$$;

SELECT badges_private.close_to_public('badges_private.unlock_snapshot(int)'::regprocedure);

-- The highest id that anybody can see, also for those who may see few.
CREATE OR REPLACE FUNCTION badges_private.highest_unlock() RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(max(id), 0) FROM public.badge_award_events
$$;

SELECT badges_private.close_to_public('badges_private.highest_unlock()'::regprocedure);

CREATE OR REPLACE FUNCTION badges_private.unlock_cursor(
    cluster text, top bigint, upto pg_snapshot, seen pg_snapshot DEFAULT NULL,
    last bigint DEFAULT NULL
) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws('.', 1, cluster, top, upto, seen, last)
$$;

SELECT badges_private.close_to_public(
    'badges_private.unlock_cursor(text, bigint, pg_snapshot, pg_snapshot, bigint)'::regprocedure);

-- What a cursor says; it may come from anywhere.
CREATE OR REPLACE FUNCTION badges_private.read_unlock_cursor(
    cursor text, OUT cluster text, OUT top bigint, OUT upto pg_snapshot, OUT seen pg_snapshot,
    OUT last bigint
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parts text[] := regexp_match(left($1, 20000),
        '^1[.]([0-9]{1,20})[.]([0-9]{1,18})[.]([0-9]+:[0-9]+:[0-9,]*)'
        '(?:[.]([0-9]+:[0-9]+:[0-9,]*)[.]([0-9]{1,18}))?$');
BEGIN
    IF parts IS NULL OR length($1) > 20000 THEN
        RAISE invalid_text_representation;
    END IF;
    cluster := parts[1];
    top := parts[2];
    upto := parts[3];
    seen := parts[4];
    last := parts[5];
EXCEPTION
    WHEN data_exception THEN
        RAISE EXCEPTION 'this is no cursor of the unlock feed'
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = 'Begin without one: the feed then begins now.';
END
$$;

SELECT badges_private.close_to_public('badges_private.read_unlock_cursor(text)'::regprocedure);

-- The events behind a cursor, of everybody or of the mentors that the claims let see; the oldest ids
-- first and `most` at most, and where to go on. It is finished when all that the cursor `upto` sees
-- (null: that is there now) has been read; without a cursor the feed begins there. Each event comes
-- with its own cursor, and with the organization that the mentor is in now. `age` is in seconds,
-- since its transaction began.
--
-- Of the rows that a dump brought from another cluster, xid is a transaction of that one, which here
-- may lie ahead; xmin, of the transaction that restored them, is then lower, as it never is of rows
-- that were written here. They count as older than every snapshot.
CREATE OR REPLACE FUNCTION badges_private.unlocks(
    cursor text, upto text, most int, of_everybody boolean,
    OUT next text, OUT finished boolean, OUT unlocks json
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    nothing CONSTANT pg_snapshot := '1:1:';
    here text := (SELECT system_identifier FROM pg_control_system());
    place record;
    target pg_snapshot;
    top bigint;
    late xid8[];
    since xid8;
    until xid8;
    visible uuid[];
    ids bigint[];
    is_whole boolean;
BEGIN
    IF pg_is_in_recovery() THEN
        RAISE EXCEPTION 'a standby does not know which transactions are open'
            USING ERRCODE = 'feature_not_supported', HINT = 'Ask the primary.';
    END IF;
    unlocks := '[]';
    IF upto IS NOT NULL THEN
        SELECT p.upto, p.top INTO target, top FROM badges_private.read_unlock_cursor($2) AS p;
    ELSE
        target := badges_private.unlock_snapshot();
    END IF;
    IF $1 IS NULL THEN
        finished := true;
        next := badges_private.unlock_cursor(
            here, coalesce(top, badges_private.highest_unlock()), target);
        RETURN;
    END IF;

    place := badges_private.read_unlock_cursor($1);
    IF place.cluster <> here OR pg_snapshot_xmax(place.upto) > pg_snapshot_xmax(target) THEN
        -- Of another cluster, or of a time of this one that a restore has undone.
        place.top := least(place.top, badges_private.highest_unlock());
        place.last := place.top;
        place.seen := nothing;
        place.upto := target;
    ELSIF place.last IS NULL THEN
        place.seen := place.upto;
        place.upto := target;
    END IF;
    IF NOT of_everybody THEN
        visible := ARRAY (SELECT badges_private.visible_mentors());
    END IF;
    late := ARRAY (SELECT pg_snapshot_xip(place.seen));
    since := pg_snapshot_xmax(place.seen);
    until := pg_snapshot_xmax(place.upto);

    -- The usual case is a few events, which the index on xid finds.
    IF place.last IS NULL THEN
        ids := ARRAY (
            SELECT e.id FROM public.badge_award_events e
            WHERE e.xid = ANY (late) AND e.xid < until AND age(e.xmin) <= age(e.xid::xid)
                AND pg_visible_in_snapshot(e.xid, place.upto)
                AND (of_everybody OR e.peer_mentor_id = ANY (visible))
            UNION ALL
            SELECT e.id FROM public.badge_award_events e
            WHERE e.xid >= since AND e.xid < until AND age(e.xmin) <= age(e.xid::xid)
                AND pg_visible_in_snapshot(e.xid, place.upto)
                AND (of_everybody OR e.peer_mentor_id = ANY (visible))
            LIMIT most + 1);
        is_whole := cardinality(ids) <= most;
        IF NOT is_whole THEN
            -- Many: from the lowest id on. It is materialized, or it would be sought from id 1 on.
            WITH unsent AS MATERIALIZED (
                SELECT e.id FROM public.badge_award_events e
                WHERE e.xid = ANY (late) AND e.xid < until
                    AND pg_visible_in_snapshot(e.xid, place.upto)
                UNION ALL
                SELECT e.id FROM public.badge_award_events e
                WHERE e.xid >= since AND e.xid < until
                    AND pg_visible_in_snapshot(e.xid, place.upto)
            )
            SELECT min(id) - 1 INTO place.last FROM unsent;
        END IF;
    END IF;
    IF place.last IS NOT NULL THEN
        ids := ARRAY (
            SELECT e.id FROM public.badge_award_events e
            WHERE e.id > place.last AND (of_everybody OR e.peer_mentor_id = ANY (visible))
                AND CASE
                    WHEN age(e.xmin) > age(e.xid::xid) THEN since = '1'
                    ELSE (e.xid >= since OR e.xid = ANY (late))
                        AND pg_visible_in_snapshot(e.xid, place.upto)
                END
            ORDER BY e.id LIMIT most + 1);
        is_whole := cardinality(ids) <= most;
    END IF;
    ids := ARRAY (SELECT id FROM unnest(ids) AS id ORDER BY id LIMIT most);
    top := greatest(place.top, ids[cardinality(ids)]);

    SELECT coalesce(json_agg(json_build_object(
        'cursor', CASE
            WHEN is_whole AND e.id = ids[cardinality(ids)]
                THEN badges_private.unlock_cursor(here, top, place.upto)
            ELSE badges_private.unlock_cursor(
                here, greatest(place.top, e.id), place.upto, place.seen, e.id)
        END,
        'organization_id', m.organization_id,
        'peer_mentor_id', e.peer_mentor_id,
        'kind', e.kind,
        'age', extract(epoch FROM clock_timestamp() - e.at),
        'unlock', row_to_json(told)
    ) ORDER BY e.id), '[]') INTO unlocks
    FROM public.badge_award_events e
    JOIN public.peer_mentors m ON m.id = e.peer_mentor_id
    -- Another organization's words stay there when a mentor moves.
    LEFT JOIN public.badge_definitions d ON d.id = e.badge_definition_id
        AND (d.organization_id IS NULL OR d.organization_id = m.organization_id)
    LEFT JOIN public.badge_awards a ON a.id = e.badge_award_id
    CROSS JOIN LATERAL (
        SELECT e.id, e.kind, e.peer_mentor_id, e.badge_definition_id, d.key, d.name, e.tier,
               a.earned_on, e.at, e.source
    ) AS told
    WHERE e.id = ANY (ids);

    next := CASE WHEN is_whole THEN badges_private.unlock_cursor(here, top, place.upto)
                 ELSE badges_private.unlock_cursor(
                     here, top, place.upto, place.seen, ids[cardinality(ids)]) END;
    finished := is_whole AND place.upto::text = target::text;
END
$$;

SELECT badges_private.close_to_public('badges_private.unlocks(text, text, int, boolean)'::regprocedure);

-- The same of every organization, for the one reader of an API process, which hands each event on to
-- those who may see it.
CREATE OR REPLACE FUNCTION badges_private.unlocks_of_all(
    cursor text, most int, OUT next text, OUT finished boolean, OUT unlocks json
)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM badges_private.see_all(
        'public.badge_award_events', 'public.peer_mentors', 'public.badge_definitions',
        'public.badge_awards');
    SELECT u.next, u.finished, u.unlocks INTO next, finished, unlocks
    FROM badges_private.unlocks($1, NULL, $2, true) AS u;
END
$$;

SELECT badges_private.close_to_public('badges_private.unlocks_of_all(text, int)'::regprocedure);

-- For PostgREST: {items, next}, at most 1,000 events, each with its cursor. Without a cursor there
-- are none, and `next` is now. The names of badges and organizations come from tables that who calls
-- need not be able to read; whose events there are is a matter of the claims.
CREATE OR REPLACE FUNCTION public.unlocks_since(cursor text DEFAULT NULL) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    page record;
BEGIN
    PERFORM badges_private.see_all(
        'public.badge_award_events', 'public.peer_mentors', 'public.badge_definitions',
        'public.badge_awards');
    page := badges_private.unlocks($1, NULL, 1000, false);
    IF json_array_length(page.unlocks) = 0 AND NOT page.finished THEN
        -- Nothing was left of the batch that the cursor is in.
        page := badges_private.unlocks(page.next, NULL, 1000, false);
    END IF;
    RETURN jsonb_build_object('next', page.next, 'items', coalesce((
        SELECT jsonb_agg(
            (each -> 'unlock')::jsonb || jsonb_build_object('cursor', each -> 'cursor')
            ORDER BY place)
        FROM json_array_elements(page.unlocks) WITH ORDINALITY AS u (each, place)
    ), '[]'));
END
$$;

SELECT badges_private.close_to_public('public.unlocks_since(text)'::regprocedure);

GRANT EXECUTE ON FUNCTION
    badges_private.unlock_snapshot(int), badges_private.highest_unlock(),
    badges_private.unlock_cursor(text, bigint, pg_snapshot, pg_snapshot, bigint),
    badges_private.read_unlock_cursor(text), badges_private.unlocks(text, text, int, boolean),
    badges_private.unlocks_of_all(text, int), public.unlocks_since(text)
    TO badges_api;

-- Wakes who follows: one empty message a transaction, and none where nothing was added.
CREATE OR REPLACE FUNCTION badges_private.announce_unlocks() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM added) THEN
        PERFORM pg_notify('badges_unlocks', '');
    END IF;
    RETURN NULL;
END
$$;

SELECT badges_private.close_to_public('badges_private.announce_unlocks()'::regprocedure);

CREATE OR REPLACE TRIGGER badges_announce
    AFTER INSERT ON public.badge_award_events
    REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION badges_private.announce_unlocks();
