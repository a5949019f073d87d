"""What makes a generation of the log, fills it, and takes away the one before."""
