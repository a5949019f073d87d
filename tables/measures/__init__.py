"""What a mentor's activities amount to: one file a measure, and what they are made of."""
