"""All checks there are, in the order in which they are asked."""

from collections.abc import Mapping
from typing import Final

from badges.doctor import (
    api,
    database_schema,
    flow,
    host,
    kafka,
    kafka_connect,
    log,
    postgres,
    rules,
    waiting,
    workers,
)
from badges.doctor.examination import Check, Server

SERVERS: Final[Mapping[Server, Check]] = {
    "postgres": postgres.POSTGRES,
    "kafka": kafka.KAFKA,
    "connect": kafka_connect.CONNECT,
}
CHECKS: Final = (
    *host.CHECKS,
    *postgres.CHECKS,
    *database_schema.CHECKS,
    *log.CHECKS,
    *kafka.CHECKS,
    *kafka_connect.CHECKS,
    *workers.CHECKS,
    *rules.CHECKS,
    *waiting.CHECKS,
    *api.CHECKS,
    *flow.CHECKS,
    *workers.LAST,
)
