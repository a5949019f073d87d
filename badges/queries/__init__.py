"""Questions about badges, answered by SQL: a second opinion, which knows nothing of the fold."""
