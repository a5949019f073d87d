"""The demo: a small world that lives for half a minute, and is verified at its end."""
