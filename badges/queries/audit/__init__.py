"""Whether every result is what the source tables say, by SQL alone."""
