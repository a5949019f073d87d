"""What is kept about one person: shown as a whole, and removed."""
