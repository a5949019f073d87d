"""Questions to the database about badges: what the worker decides, read a second time as SQL."""
