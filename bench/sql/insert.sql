\set mentor random(0, 999)
\set day random(0, 700)
INSERT INTO activities (id, peer_mentor_id, activity_type, activity_date, duration_minutes)
VALUES (gen_random_uuid(), ('00000001-0000-0000-0000-' || lpad(to_hex(:mentor), 12, '0'))::uuid,
        'visit', date '2025-01-01' + :day, 30);
