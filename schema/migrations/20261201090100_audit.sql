-- Who dated an award: null for the rule, else who wrote its date last. The audit holds the dates of
-- the rule against what earned them, and those that people wrote against nothing.

ALTER TABLE public.badge_awards ADD COLUMN IF NOT EXISTS dated_by text;

-- It comes after badges_stamp_award, by its name, which derives the date from the instant or the
-- instant from the date. The rule moves no date that is there.
CREATE OR REPLACE FUNCTION badges_private.stamp_dates() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' AND (OLD.earned_at, OLD.earned_on)
        IS NOT DISTINCT FROM (NEW.earned_at, NEW.earned_on) THEN
        NEW.dated_by := OLD.dated_by;
    ELSE
        NEW.dated_by := nullif(badges_private.writer(), 'rule');
    END IF;
    RETURN NEW;
END
$$;

CREATE OR REPLACE TRIGGER badges_stamp_dates
    BEFORE INSERT OR UPDATE ON public.badge_awards
    FOR EACH ROW EXECUTE FUNCTION badges_private.stamp_dates();

SELECT badges_private.close_to_public('badges_private.stamp_dates()'::regprocedure);
