"""What a person types: each command parses, calls what does it, and prints."""
