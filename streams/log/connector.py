"""The connector that fills a generation of the log: one configuration, local and in Docker."""

import json
from importlib.resources import files


def configuration(
    prefix: str, generation: int, stand_in: str, *, sslmode: str = "prefer"
) -> dict[str, str]:
    """Return the configuration from connector.json with the names of one generation filled in.

    `stand_in` is what the connector sends in the place of a long text that an update left alone.

    The database's address and password stay `${env:BADGES_CONNECT_DATABASE_...}`, which Connect
    resolves from its own environment.
    """
    text = (files(__package__) / "connector.json").read_text(encoding="utf-8")
    names = {"prefix": prefix, "generation": str(generation), "sslmode": sslmode}
    names["standIn"] = stand_in
    for name, value in names.items():
        text = text.replace(f"{{{name}}}", value)
    filled: dict[str, str] = json.loads(text)
    return filled
