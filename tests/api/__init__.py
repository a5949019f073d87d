"""The HTTP API as its callers meet it: a real process on a real database."""
