-- Who may do what: as little as each process needs. Which rows: see the policies.

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
    badges_private.withdraw_awards(uuid[]),
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
