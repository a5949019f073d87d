"""The server of the API: uvicorn, which lets streams end before it waits for its requests to."""

import resource
import socket
from contextlib import suppress
from typing import Final

import uvicorn
from fastapi import FastAPI

_GRACE_S: Final = 3
_FILES: Final = 65_536
_UNREAD_S: Final = 20


class Server(uvicorn.Server):
    """Serves an application, as many connections as the system allows."""

    def __init__(self, app: FastAPI) -> None:
        super().__init__(uvicorn.Config(app, log_config=None, timeout_graceful_shutdown=_GRACE_S))
        self._app = app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop: what streams would go on for hours."""
        self._app.state.unlocks.close()
        await super().shutdown(sockets)


def prepare(listening: socket.socket) -> None:
    """Let a process have many connections, and end those whose client reads nothing for long."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    # macOS refuses more than a limit of its own.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
    # Nothing else ends a connection that is alive, and whose buffers stay full.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_S)
