"""Badge streams: achievement badges for peer mentors, computed from the change log of Postgres."""
