-- Who may do what: as little as each process needs.
--
-- Policies are for our own roles alone. Without them a table of the application that has row-level
-- security would look empty to the snapshot, and every mentor gone.

GRANT SELECT ON
    public.organizations, public.peer_mentors, public.activities, public.training_completions,
    public.mentor_pauses, public.badge_definitions, public.badge_awards,
    public.badge_award_events, public.peer_mentor_stats, public.peer_mentor_stats_current,
    public.badge_definition_versions, public.organization_versions, public.badge_logs,
    public.badge_log_positions, public.badge_rule_positions, public.badge_alerts
    TO badges_worker, badges_api;

GRANT UPDATE (tier, tier_earned_at, revoked_at, revoked_by) ON public.badge_awards
    TO badges_worker;

GRANT INSERT ON public.badge_award_events TO badges_worker;

GRANT INSERT, UPDATE ON public.peer_mentor_stats TO badges_worker;

GRANT UPDATE (next_offset, turn, turn_id) ON public.badge_log_positions TO badges_worker;

GRANT UPDATE (state, reason) ON public.badge_logs TO badges_worker;

GRANT INSERT ON public.badge_rule_positions TO badges_worker;

GRANT INSERT, UPDATE (detail, resolved_at) ON public.badge_alerts TO badges_worker;

GRANT EXECUTE ON FUNCTION
    badges_private.lock_for_awards(uuid[], uuid[]),
    badges_private.grant_awards(uuid[], uuid[], uuid[], timestamptz[], int[], text[], timestamptz[],
                                jsonb[], text),
    badges_private.depart_mentors(uuid[])
    TO badges_worker;

GRANT EXECUTE ON FUNCTION
    public.award_badge(uuid, uuid, timestamptz, jsonb, text, int, text, timestamptz)
    TO badges_worker, badges_api;

GRANT EXECUTE ON FUNCTION badges_private.claimed_organization() TO badges_api;

GRANT SELECT (id, organization_id, active) ON public.peer_mentors TO badges_connect;

GRANT SELECT (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
    ON public.activities TO badges_connect;

GRANT SELECT (id, peer_mentor_id, course_code, completed_on)
    ON public.training_completions TO badges_connect;

GRANT SELECT (id, peer_mentor_id, starts_on, ends_on) ON public.mentor_pauses TO badges_connect;

GRANT SELECT (id, peer_mentor_id, badge_definition_id, earned_at, definition_version, tier,
              tier_earned_at, awarded_by, revoked_by, changed_by)
    ON public.badge_awards TO badges_connect;

GRANT SELECT, UPDATE ON public.badge_heartbeats TO badges_connect;

-- service_role, where it is (Supabase), reads results, takes badges away and awards by function;
-- its default privileges would let it write everything.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'service_role') THEN
        REVOKE ALL ON
            public.badge_awards, public.badge_award_events, public.peer_mentor_stats,
            public.peer_mentor_stats_current, public.badge_definition_versions,
            public.organization_versions, public.badge_logs, public.badge_log_positions,
            public.badge_rule_positions, public.badge_alerts, public.badge_heartbeats
            FROM service_role;
        GRANT SELECT ON
            public.badge_awards, public.badge_award_events, public.peer_mentor_stats,
            public.peer_mentor_stats_current, public.badge_definition_versions,
            public.organization_versions, public.badge_logs, public.badge_log_positions,
            public.badge_rule_positions, public.badge_alerts TO service_role;
        GRANT UPDATE (revoked_at, revoked_by), DELETE ON public.badge_awards TO service_role;
        GRANT EXECUTE ON FUNCTION
            public.award_badge(uuid, uuid, timestamptz, jsonb, text, int, text, timestamptz)
            TO service_role;
    END IF;
END
$$;

-- The worker sees and writes all rows that its rights reach; so does the connector.
DO $$
DECLARE
    closed text;
BEGIN
    FOREACH closed IN ARRAY ARRAY[
        'organizations', 'peer_mentors', 'activities', 'training_completions', 'mentor_pauses',
        'badge_definitions', 'badge_awards', 'badge_award_events', 'peer_mentor_stats',
        'badge_definition_versions', 'organization_versions', 'badge_logs', 'badge_log_positions',
        'badge_rule_positions', 'badge_alerts'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS badges_worker_all ON public.%I', closed);
        EXECUTE format('CREATE POLICY badges_worker_all ON public.%I FOR ALL TO badges_worker '
                       'USING (true) WITH CHECK (true)', closed);
    END LOOP;
    FOREACH closed IN ARRAY ARRAY[
        'peer_mentors', 'activities', 'training_completions', 'mentor_pauses', 'badge_awards',
        'badge_heartbeats'] LOOP
        EXECUTE format('DROP POLICY IF EXISTS badges_connect_all ON public.%I', closed);
        EXECUTE format('CREATE POLICY badges_connect_all ON public.%I FOR ALL TO badges_connect '
                       'USING (true) WITH CHECK (true)', closed);
    END LOOP;
END
$$;

-- The api sees the organization of its claims, and what belongs to nobody.
DO $$
DECLARE
    claimed constant text := '(SELECT badges_private.claimed_organization())';
    mine constant text := format(
        'EXISTS (SELECT FROM public.peer_mentors m WHERE m.id = peer_mentor_id '
        'AND m.organization_id = %s)', claimed);
    closed record;
BEGIN
    FOR closed IN SELECT * FROM (VALUES
        ('organizations', format('id = %s', claimed)),
        ('peer_mentors', format('organization_id = %s', claimed)),
        ('activities', mine), ('training_completions', mine), ('mentor_pauses', mine),
        ('badge_definitions', format('organization_id IS NULL OR organization_id = %s', claimed)),
        ('badge_awards', mine), ('badge_award_events', mine), ('peer_mentor_stats', mine),
        ('badge_definition_versions',
         format('organization_id IS NULL OR organization_id = %s', claimed)),
        ('organization_versions', format('id = %s', claimed)),
        ('badge_logs', 'true'), ('badge_log_positions', 'true'), ('badge_rule_positions', 'true'),
        ('badge_alerts', 'true')
    ) AS api (relation, condition) LOOP
        EXECUTE format('DROP POLICY IF EXISTS badges_api_organization ON public.%I',
                       closed.relation);
        EXECUTE format('CREATE POLICY badges_api_organization ON public.%I FOR SELECT '
                       'TO badges_api USING (%s)', closed.relation, closed.condition);
    END LOOP;
END
$$;
