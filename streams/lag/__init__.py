"""How far behind the database the awards are: what waits, who works on it, and what holds it up."""
