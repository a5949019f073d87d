"""The log of the mentors' rows: its generations, whether it is whole, and whom to ask about it."""
