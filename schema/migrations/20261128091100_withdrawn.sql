-- Takes back what the rule gave too late to be the one row of its mentor and badge. What people gave
-- stays, also where the rule has promoted it; and so does a row beside which there is another, which
-- only the lack of the unique constraint allows: which of them goes, `badges dedupe` decides.
CREATE OR REPLACE FUNCTION badges_private.withdraw_awards(ids uuid[]) RETURNS SETOF uuid
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM public.badge_awards a
    WHERE a.id = ANY (ids) AND a.changed_by = 'rule' AND a.awarded_by = 'rule'
        AND NOT EXISTS (
            SELECT FROM public.badge_awards other
            WHERE other.peer_mentor_id = a.peer_mentor_id
                AND other.badge_definition_id = a.badge_definition_id AND other.id <> a.id)
    RETURNING a.id
$$;
