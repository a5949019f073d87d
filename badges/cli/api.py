"""`badges api`: the HTTP API."""

import os
import socket

from badges import logs, settings, starting
from streams.errors import Failure


def api() -> None:
    """Serve the HTTP API, until SIGTERM.

    BADGES_API_HOST and BADGES_API_PORT say where.
    """
    # FastAPI takes a second to import, which no other command should wait for.
    with starting.imports():
        from badges.api.server import serve  # noqa: PLC0415

    chosen = settings.load()
    # It asks Kafka all the time, and its lag and metrics say where that does not answer.
    logs.configure(level=chosen.log_level, silent=["aiokafka"])
    with _listening(chosen.api_host, chosen.api_port) as listening:
        serve(chosen, listening)


def _listening(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family)
        # Accepted connections inherit it. asyncio sets it only on sockets that say that they are
        # TCP's, which this one does not; without it an answer's body waits 40 ms for the client.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise Failure(
            f"the API cannot listen at {host}, port {port}: {reason}",
            hint="Set BADGES_API_HOST and BADGES_API_PORT",
        ) from None
