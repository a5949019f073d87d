"""The room that reads: the log, its generations and the worker that folds it."""
