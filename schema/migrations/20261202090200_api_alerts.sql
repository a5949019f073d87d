-- The api also tells that it could not ask Postgres for a while, under a subject of its own: its row
-- follows as soon as Postgres answers. What workers tell it neither opens nor closes.

DROP POLICY IF EXISTS badges_api_tells ON public.badge_alerts;

CREATE POLICY badges_api_tells ON public.badge_alerts
    FOR INSERT TO badges_api WITH CHECK (
        kind = 'nobody_works' OR (kind = 'log_unreachable' AND detail ->> 'subject' = 'api'));

DROP POLICY IF EXISTS badges_api_closes ON public.badge_alerts;

CREATE POLICY badges_api_closes ON public.badge_alerts
    FOR UPDATE TO badges_api USING (
        kind = 'nobody_works' OR (kind = 'log_unreachable' AND detail ->> 'subject' = 'api'))
    WITH CHECK (
        kind = 'nobody_works' OR (kind = 'log_unreachable' AND detail ->> 'subject' = 'api'));
