"""The HTTP API: what other programs and people ask for."""
