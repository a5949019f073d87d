"""The server of the API's process: how it begins, and how it ends."""

import resource
import signal
import socket
import sys
from contextlib import suppress
from types import FrameType
from typing import Final

import uvicorn

from badges.api.app import create_app
from badges.settings import Settings

_LAST_REQUESTS_S: Final = 10
"""How long requests that are under way may take once the process is to end."""
_FILES: Final = 65_536
"""Connections, and all else that is open."""
_HEAD_BYTES: Final = 65_536
"""What a request says before its body: an id of the feed alone may have 20,000 characters."""
_UNREAD_S: Final = 20
"""How long a client may read nothing of what is sent to it."""


class _Server(uvicorn.Server):
    """A server that tells the application when it begins to end, for answers that never would."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        self.config.app.state.stopping.set()  # type: ignore[union-attr]
        await super().shutdown(sockets)


def serve(settings: Settings, listening: socket.socket) -> None:
    """Answer until SIGTERM, which ends the process with exit code 0, or SIGINT."""
    config = uvicorn.Config(
        create_app(settings),
        log_config=None,
        # It has paths with names in them; requests are logged by their route.
        access_log=False,
        # Whom a header names is the caller's word.
        proxy_headers=False,
        server_header=False,
        ws="none",
        h11_max_incomplete_event_size=_HEAD_BYTES,
        timeout_graceful_shutdown=_LAST_REQUESTS_S,
    )
    # uvicorn handles signals meanwhile, and raises them again when it is done.
    signal.signal(signal.SIGTERM, _end)
    _allow_many_files()
    # Nothing else ends a connection that is alive, and whose buffers stay full.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * _UNREAD_S)
    _Server(config).run(sockets=[listening])


def _end(_: int, __: FrameType | None) -> None:
    sys.exit(0)


def _allow_many_files() -> None:
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if most == resource.RLIM_INFINITY else min(_FILES, most)
    # macOS refuses more than a limit of its own.
    with suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, most))
