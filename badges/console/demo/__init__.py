"""The demo: a small world that lives for half a minute, and the proof that nothing went wrong."""
