-- The api tells that nobody works: workers that are gone cannot.

GRANT INSERT (kind, detail), UPDATE (resolved_at) ON public.badge_alerts TO badges_api;

DROP POLICY IF EXISTS badges_api_tells ON public.badge_alerts;

CREATE POLICY badges_api_tells ON public.badge_alerts
    FOR INSERT TO badges_api WITH CHECK (kind = 'nobody_works');

DROP POLICY IF EXISTS badges_api_closes ON public.badge_alerts;

CREATE POLICY badges_api_closes ON public.badge_alerts
    FOR UPDATE TO badges_api USING (kind = 'nobody_works') WITH CHECK (kind = 'nobody_works');
