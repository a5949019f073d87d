"""The reference: what is in Postgres against a brute-force reading of the log, row by row."""
