-- Counting in the application's own transaction: count, minutes, types and the current run of weeks.
CREATE TABLE mentor_counts (
    peer_mentor_id uuid PRIMARY KEY,
    activity_count bigint NOT NULL,
    minutes_total bigint NOT NULL,
    counts_by_type jsonb NOT NULL,
    last_week int NOT NULL,
    week_streak int NOT NULL
);
CREATE FUNCTION count_activity() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    week int := (NEW.activity_date - date '1970-01-01' + 3) / 7;
BEGIN
    INSERT INTO mentor_counts AS c
    VALUES (NEW.peer_mentor_id, 1, coalesce(NEW.duration_minutes, 0),
            jsonb_build_object(NEW.activity_type, 1), week, 1)
    ON CONFLICT (peer_mentor_id) DO UPDATE SET
        activity_count = c.activity_count + 1,
        minutes_total = c.minutes_total + excluded.minutes_total,
        counts_by_type = c.counts_by_type || jsonb_build_object(
            NEW.activity_type, coalesce((c.counts_by_type ->> NEW.activity_type)::bigint, 0) + 1),
        last_week = week,
        week_streak = CASE week WHEN c.last_week THEN c.week_streak
                                WHEN c.last_week + 1 THEN c.week_streak + 1 ELSE 1 END;
    RETURN NULL;
END
$$;
CREATE TRIGGER count_activity AFTER INSERT ON activities
FOR EACH ROW EXECUTE FUNCTION count_activity();
