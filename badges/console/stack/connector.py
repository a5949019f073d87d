"""The connector that fills a generation of the log: one configuration, local and in Docker."""

import json
from importlib.resources import files


def configuration(prefix: str, generation: int, *, sslmode: str = "prefer") -> dict[str, str]:
    """Return the configuration from connector.json with the names of one generation filled in.

    The database's address and password stay `${env:BADGES_CONNECT_DATABASE_...}`, which Connect
    resolves from its own environment.
    """
    text = (files(__package__) / "connector.json").read_text(encoding="utf-8")
    names = {"prefix": prefix, "generation": str(generation), "sslmode": sslmode}
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    filled: dict[str, str] = json.loads(text)
    return filled
