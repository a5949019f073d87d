"""`badges doctor`: every interface, data flow and dependency, asked once, a line each."""
