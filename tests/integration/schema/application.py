"""The tables of an application that is there before this project, as the contract has them."""

TABLES = """
CREATE TABLE organizations (
    id uuid PRIMARY KEY, slug text UNIQUE NOT NULL, name text NOT NULL,
    timezone text DEFAULT 'Europe/Oslo');
CREATE TABLE peer_mentors (
    id uuid PRIMARY KEY, organization_id uuid NOT NULL REFERENCES organizations,
    display_name text, active boolean DEFAULT true);
CREATE TABLE activities (
    id uuid PRIMARY KEY, peer_mentor_id uuid NOT NULL REFERENCES peer_mentors ON DELETE CASCADE,
    activity_type varchar(40) NOT NULL, activity_date date NOT NULL, duration_minutes int,
    created_at timestamptz DEFAULT now(), note text);
CREATE TABLE training_completions (
    id uuid PRIMARY KEY, peer_mentor_id uuid NOT NULL REFERENCES peer_mentors ON DELETE CASCADE,
    course_code text NOT NULL, completed_on date NOT NULL);
CREATE TABLE mentor_pauses (
    id uuid PRIMARY KEY, peer_mentor_id uuid NOT NULL REFERENCES peer_mentors ON DELETE CASCADE,
    starts_on date NOT NULL, ends_on date);
CREATE TABLE badge_definitions (
    id uuid PRIMARY KEY, organization_id uuid REFERENCES organizations, key text NOT NULL,
    name text, description text, icon text, criteria jsonb, counts_from date,
    revocable boolean DEFAULT false, status text DEFAULT 'draft', version int);
"""

ROWS = """
INSERT INTO organizations (id, slug, name) VALUES
    ('00000000-0000-0000-0000-000000000001', 'oslo', 'Oslo');
INSERT INTO peer_mentors (id, organization_id, display_name) VALUES
    ('00000000-0000-0000-0000-000000000011', '00000000-0000-0000-0000-000000000001', 'Kari');
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date) VALUES
    (gen_random_uuid(), '00000000-0000-0000-0000-000000000011', 'visit', '2026-01-01');
INSERT INTO badge_definitions (id, key, criteria, version) VALUES
    ('00000000-0000-0000-0000-000000000021', 'first', '{}', 1),
    ('00000000-0000-0000-0000-000000000022', 'second', '{}', NULL);
"""

AWARDS = """
CREATE TABLE badge_awards (
    id uuid PRIMARY KEY, peer_mentor_id uuid NOT NULL, badge_definition_id uuid NOT NULL,
    earned_at timestamptz NOT NULL, awarded_by text NOT NULL DEFAULT 'rule');
INSERT INTO badge_awards (id, peer_mentor_id, badge_definition_id, earned_at)
SELECT format('00000000-0000-0000-0000-0000000001%s', lpad(n::text, 2, '0'))::uuid,
       '00000000-0000-0000-0000-000000000011',
       format('00000000-0000-0000-0000-00000000002%s', 1 + n % 2)::uuid,
       '2026-03-01'::timestamptz + make_interval(days => abs(n - 5))
FROM generate_series(1, 8) AS n;
"""
"""Eight awards of two badges; the earliest are numbers 5 (second badge), and 4 and 6 (first)."""

KEPT = {
    "00000000-0000-0000-0000-000000000104",
    "00000000-0000-0000-0000-000000000105",
}
