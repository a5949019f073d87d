"""Which stack the demo plays against: what BADGES_* settings say, else the local stack here."""

from dataclasses import dataclass

from pydantic import SecretStr

from badges.settings import Settings
from badges.stack import addresses, layout, secrets
from streams.log.kafka import KafkaAccess


@dataclass(frozen=True)
class Target:
    """Where Postgres and Kafka are, as the database's owner."""

    database_url: str
    kafka: KafkaAccess


def find(settings: Settings) -> Target:
    """Take what is set; what is not, from the local stack that `make up` started here, if any."""
    place = layout.load()
    if place.note.exists():
        local = addresses.for_people(place, secrets.load(place.run_dir))
        found = {
            "database_url": SecretStr(local["BADGES_DATABASE_URL"]),
            "kafka_bootstrap": local["BADGES_KAFKA_BOOTSTRAP"],
        }
        missing = {k: v for k, v in found.items() if k not in settings.model_fields_set}
        settings = settings.model_copy(update=missing)
    return Target(settings.database_url.get_secret_value(), settings.kafka_access())
