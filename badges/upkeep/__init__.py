"""What keeps awards right and tables small: replay, audit, repair, dead letters, pruning."""
