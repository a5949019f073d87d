"""Where what was decided is written: awards and statistics, dead letters, alerts."""
