"""How every Kafka client of the project connects."""

import asyncio
import ssl
from typing import Any

from aiokafka import AIOKafkaConsumer
from msgspec import Struct

STOP_SECONDS = 5.0
"""How long a consumer may take to stop; after it whoever used it goes on."""


class KafkaAccess(Struct, frozen=True):
    """Where Kafka is and who we are there; names are Kafka's own (security.protocol and so on)."""

    bootstrap: str
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_username: str | None = None
    sasl_password: str | None = None
    ssl_cafile: str | None = None

    def client_options(self) -> dict[str, Any]:
        options: dict[str, Any] = {
            "bootstrap_servers": self.bootstrap,
            "security_protocol": self.security_protocol,
        }
        if self.security_protocol.startswith("SASL"):
            options["sasl_mechanism"] = self.sasl_mechanism
            options["sasl_plain_username"] = self.sasl_username
            options["sasl_plain_password"] = self.sasl_password
        if self.security_protocol.endswith("SSL"):
            options["ssl_context"] = self.ssl_context()
        return options

    def ssl_context(self) -> ssl.SSLContext:
        """Trust the given authority, or the system's when none is given."""
        return ssl.create_default_context(cafile=self.ssl_cafile)


async def stop(consumer: "AIOKafkaConsumer[Any, Any]") -> None:
    """Stop a consumer, in the time that it may take. Raises nothing of its own.

    It cancels what fetches for it and awaits that, so whoever awaited it himself would be told that
    he is cancelled: then nobody would know that a read has failed.
    """
    stopping = asyncio.ensure_future(_stop(consumer))
    await asyncio.wait([stopping], timeout=STOP_SECONDS)
    if not stopping.done():
        stopping.cancel()
    elif not stopping.cancelled():
        stopping.exception()


async def _stop(consumer: "AIOKafkaConsumer[Any, Any]") -> None:
    try:
        await consumer.stop()
    finally:
        # What it does last, where what it does before has failed.
        await consumer._client.close()
