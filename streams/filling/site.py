"""What a generation of the log stands on, and how its connector is configured there."""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files

from sinks.pool import Connection
from streams.log import generations
from streams.log.cluster import Cluster
from streams.log.connect import Connect
from streams.log.kafka import KafkaAccess

ADDRESS = "BADGES_CONNECT_DATABASE_HOSTNAME and BADGES_CONNECT_DATABASE_PORT"
"""Variables of Kafka Connect's: where the connector finds Postgres."""


@dataclass(frozen=True)
class Site:
    """Everything a generation stands on, and where to tell people what happens.

    `say` takes what is worth keeping, `progress` a line that the next one may replace.
    """

    connection: Connection
    access: KafkaAccess
    cluster: Cluster
    connect: Connect
    prefix: str
    partitions: int
    replication_factor: int
    sslmode: str = "prefer"
    say: Callable[[str], None] = field(default=print)
    progress: Callable[[str], None] = field(default=print)

    @property
    def publication(self) -> str:
        """What every generation of the log is published in."""
        return generations.publication(self.prefix)

    def configuration(self, number: int, stand_in: str, /) -> dict[str, str]:
        return configuration(self.prefix, number, stand_in, sslmode=self.sslmode)


def configuration(
    prefix: str, generation: int, stand_in: str, *, sslmode: str = "prefer"
) -> dict[str, str]:
    """The configuration in connector.json with the names of one generation filled in.

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
