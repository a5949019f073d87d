"""The room that writes: awards and stats, dead letters, alerts."""
