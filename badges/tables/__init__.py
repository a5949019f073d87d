"""The room that thinks: ledgers, criteria and decisions. No I/O, no clock, no other room."""
