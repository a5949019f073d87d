"""What a mentor did and what it earns: ledgers, criteria, decisions. No I/O, no clock."""
