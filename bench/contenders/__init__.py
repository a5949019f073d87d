"""Programs that read the same topic, each in a process of its own with one thread of Python."""
