-- Which rows each role sees. Policies are for our own roles alone, and have no effect while a table
-- of the application is without row-level security; without them it would look empty to the
-- snapshot as soon as that is turned on, and every mentor gone.

-- The worker and the connector: every row that their rights reach.

DROP POLICY IF EXISTS badges_worker_all ON public.organizations;

CREATE POLICY badges_worker_all ON public.organizations
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.peer_mentors;

CREATE POLICY badges_worker_all ON public.peer_mentors
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.activities;

CREATE POLICY badges_worker_all ON public.activities
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.training_completions;

CREATE POLICY badges_worker_all ON public.training_completions
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.mentor_pauses;

CREATE POLICY badges_worker_all ON public.mentor_pauses
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_definitions;

CREATE POLICY badges_worker_all ON public.badge_definitions
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_awards;

CREATE POLICY badges_worker_all ON public.badge_awards
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_award_events;

CREATE POLICY badges_worker_all ON public.badge_award_events
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.peer_mentor_stats;

CREATE POLICY badges_worker_all ON public.peer_mentor_stats
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_definition_versions;

CREATE POLICY badges_worker_all ON public.badge_definition_versions
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.organization_versions;

CREATE POLICY badges_worker_all ON public.organization_versions
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_logs;

CREATE POLICY badges_worker_all ON public.badge_logs
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_log_positions;

CREATE POLICY badges_worker_all ON public.badge_log_positions
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_rule_positions;

CREATE POLICY badges_worker_all ON public.badge_rule_positions
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_worker_all ON public.badge_alerts;

CREATE POLICY badges_worker_all ON public.badge_alerts
    FOR ALL TO badges_worker USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_connect_all ON public.peer_mentors;

CREATE POLICY badges_connect_all ON public.peer_mentors
    FOR ALL TO badges_connect USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_connect_all ON public.activities;

CREATE POLICY badges_connect_all ON public.activities
    FOR ALL TO badges_connect USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_connect_all ON public.training_completions;

CREATE POLICY badges_connect_all ON public.training_completions
    FOR ALL TO badges_connect USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_connect_all ON public.mentor_pauses;

CREATE POLICY badges_connect_all ON public.mentor_pauses
    FOR ALL TO badges_connect USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_connect_all ON public.badge_awards;

CREATE POLICY badges_connect_all ON public.badge_awards
    FOR ALL TO badges_connect USING (true) WITH CHECK (true);

DROP POLICY IF EXISTS badges_connect_all ON public.badge_heartbeats;

CREATE POLICY badges_connect_all ON public.badge_heartbeats
    FOR ALL TO badges_connect USING (true) WITH CHECK (true);

-- The api: the organization of its claims, and what belongs to nobody.

DROP POLICY IF EXISTS badges_api_organization ON public.organizations;

CREATE POLICY badges_api_organization ON public.organizations
    FOR SELECT TO badges_api USING (id = (SELECT badges_private.claimed_organization()));

DROP POLICY IF EXISTS badges_api_organization ON public.peer_mentors;

CREATE POLICY badges_api_organization ON public.peer_mentors
    FOR SELECT TO badges_api USING (
        organization_id = (SELECT badges_private.claimed_organization()));

DROP POLICY IF EXISTS badges_api_organization ON public.activities;

CREATE POLICY badges_api_organization ON public.activities
    FOR SELECT TO badges_api USING (EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

DROP POLICY IF EXISTS badges_api_organization ON public.training_completions;

CREATE POLICY badges_api_organization ON public.training_completions
    FOR SELECT TO badges_api USING (EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

DROP POLICY IF EXISTS badges_api_organization ON public.mentor_pauses;

CREATE POLICY badges_api_organization ON public.mentor_pauses
    FOR SELECT TO badges_api USING (EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

DROP POLICY IF EXISTS badges_api_organization ON public.badge_definitions;

CREATE POLICY badges_api_organization ON public.badge_definitions
    FOR SELECT TO badges_api USING (
        organization_id IS NULL
        OR organization_id = (SELECT badges_private.claimed_organization()));

DROP POLICY IF EXISTS badges_api_organization ON public.badge_awards;

CREATE POLICY badges_api_organization ON public.badge_awards
    FOR SELECT TO badges_api USING (EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

DROP POLICY IF EXISTS badges_api_organization ON public.badge_award_events;

CREATE POLICY badges_api_organization ON public.badge_award_events
    FOR SELECT TO badges_api USING (EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

DROP POLICY IF EXISTS badges_api_organization ON public.peer_mentor_stats;

CREATE POLICY badges_api_organization ON public.peer_mentor_stats
    FOR SELECT TO badges_api USING (EXISTS (
        SELECT FROM public.peer_mentors m
        WHERE m.id = peer_mentor_id
            AND m.organization_id = (SELECT badges_private.claimed_organization())));

DROP POLICY IF EXISTS badges_api_organization ON public.badge_definition_versions;

CREATE POLICY badges_api_organization ON public.badge_definition_versions
    FOR SELECT TO badges_api USING (
        organization_id IS NULL
        OR organization_id = (SELECT badges_private.claimed_organization()));

DROP POLICY IF EXISTS badges_api_organization ON public.organization_versions;

CREATE POLICY badges_api_organization ON public.organization_versions
    FOR SELECT TO badges_api USING (id = (SELECT badges_private.claimed_organization()));

DROP POLICY IF EXISTS badges_api_organization ON public.badge_logs;

CREATE POLICY badges_api_organization ON public.badge_logs
    FOR SELECT TO badges_api USING (true);

DROP POLICY IF EXISTS badges_api_organization ON public.badge_log_positions;

CREATE POLICY badges_api_organization ON public.badge_log_positions
    FOR SELECT TO badges_api USING (true);

DROP POLICY IF EXISTS badges_api_organization ON public.badge_rule_positions;

CREATE POLICY badges_api_organization ON public.badge_rule_positions
    FOR SELECT TO badges_api USING (true);

DROP POLICY IF EXISTS badges_api_organization ON public.badge_alerts;

CREATE POLICY badges_api_organization ON public.badge_alerts
    FOR SELECT TO badges_api USING (true);
