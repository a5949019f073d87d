"""What people ask, answered from the database alone: a second opinion beside the fold's."""
