"""Arguments only: each command parses, calls its room and prints."""
