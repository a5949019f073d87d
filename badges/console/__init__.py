"""The room that faces people: commands, HTTP, the local stack, the demo."""
