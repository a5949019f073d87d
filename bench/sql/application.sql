-- What the application has without badges: its tables, their keys, and an index to find rows by.
CREATE TABLE organizations (
    id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE,
    name text,
    timezone text NOT NULL DEFAULT 'Europe/Oslo'
);
CREATE TABLE peer_mentors (
    id uuid PRIMARY KEY,
    organization_id uuid NOT NULL REFERENCES organizations ON DELETE CASCADE,
    display_name text,
    active boolean NOT NULL DEFAULT true
);
CREATE TABLE activities (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    peer_mentor_id uuid NOT NULL REFERENCES peer_mentors ON DELETE CASCADE,
    activity_type text NOT NULL,
    activity_date date NOT NULL,
    duration_minutes int CHECK (duration_minutes >= 0),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX activities_of_mentor ON activities (peer_mentor_id, activity_date);

INSERT INTO organizations (id, slug, name) VALUES (gen_random_uuid(), 'bench', 'Bench');
INSERT INTO peer_mentors (id, organization_id, display_name)
SELECT ('00000001-0000-0000-0000-' || lpad(to_hex(n), 12, '0'))::uuid, organizations.id, 'Nobody'
FROM organizations, generate_series(0, 999) n;
