"""The worker that folds the log, turn by turn, and in log/ the log itself."""
