"""The demo: a small world that lives for half a minute, and is proved right at its end."""
