"""Which stack the demo plays against: what BADGES_* settings say, else the local stack here."""

from dataclasses import dataclass

from badges.console.settings import Settings
from badges.console.stack import addresses, layout, secrets
from badges.streams.kafka import KafkaAccess


@dataclass(frozen=True)
class Target:
    """Where Postgres and Kafka are, as the database's owner."""

    database_url: str
    kafka: KafkaAccess


def find(settings: Settings) -> Target:
    """Take what is set; what is not, from the local stack that `make up` started here, if any."""
    database_url = settings.database_url.get_secret_value()
    bootstrap = settings.kafka_bootstrap
    place = layout.load()
    if place.note.exists():
        local = addresses.for_people(place, secrets.load(place.run_dir))
        if "database_url" not in settings.model_fields_set:
            database_url = local["BADGES_DATABASE_URL"]
        if "kafka_bootstrap" not in settings.model_fields_set:
            bootstrap = local["BADGES_KAFKA_BOOTSTRAP"]
    password = settings.kafka_sasl_password
    return Target(
        database_url,
        KafkaAccess(
            bootstrap=bootstrap,
            security_protocol=settings.kafka_security_protocol,
            sasl_mechanism=settings.kafka_sasl_mechanism,
            sasl_username=settings.kafka_sasl_username,
            sasl_password=password.get_secret_value() if password else None,
            ssl_cafile=settings.kafka_ssl_cafile,
        ),
    )
