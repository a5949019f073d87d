"""The database schema: migrations in plain SQL, applying them, and checking what is there."""
