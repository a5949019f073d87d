"""A proxy before Postgres that can lose an answer, or be a pooler, of either of two kinds.

When an answer is lost, the server did it and the client never knows.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

HOST = "127.0.0.1"

REPLICATION = b"\0replication\0"
"""In the first message of whoever wants to read the write-ahead log."""

_SAYS = b"SFATAL\0VFATAL\0C08P01\0Munsupported startup parameter: replication\0\0"
REFUSAL = b"E" + (len(_SAYS) + 4).to_bytes(4, "big") + _SAYS
"""What PgBouncer answers to that."""


KEY = b"K\0\0\0\x0c"
"""What begins the message in which the server names the process of a session."""


class Proxy:
    """Passes everything on, until `lose_answer_to` names a request."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._marker: bytes | None = None
        self._is_pooler = False
        self._names_processes = False
        self.lost = 0

    def lose_answer_to(self, marker: bytes) -> None:
        """Close the connection instead of answering the next request that contains these bytes."""
        self._marker = marker

    def be_a_pooler(self) -> None:
        """Refuse, from now on, whoever wants to read the write-ahead log, in PgBouncer's words."""
        self._is_pooler = True

    def name_processes(self) -> None:
        """Tell whoever connects from now on a process of its own, as a pooler does."""
        self._names_processes = True

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one connection."""
        from_server, to_server = await asyncio.open_connection(HOST, self._port)
        losing = asyncio.Event()
        carriers = [
            asyncio.create_task(self._requests(reader, to_server, writer, losing)),
            asyncio.create_task(self._answers(from_server, writer, losing)),
        ]
        await asyncio.wait(carriers, return_when=asyncio.FIRST_COMPLETED)
        for carrier in carriers:
            carrier.cancel()
        for stream in (writer, to_server):
            stream.close()

    async def _requests(
        self,
        reader: asyncio.StreamReader,
        to_server: asyncio.StreamWriter,
        writer: asyncio.StreamWriter,
        losing: asyncio.Event,
    ) -> None:
        while data := await reader.read(65536):
            if self._is_pooler and REPLICATION in data:
                writer.write(REFUSAL)
                return
            if self._marker is not None and self._marker in data:
                self._marker = None
                losing.set()
            to_server.write(data)

    async def _answers(
        self, from_server: asyncio.StreamReader, writer: asyncio.StreamWriter, losing: asyncio.Event
    ) -> None:
        while data := await from_server.read(65536):
            if losing.is_set():
                self.lost += 1
                return
            if self._names_processes and KEY in data:
                place = data.index(KEY) + len(KEY)
                data = data[:place] + b"\x7f\0\0\x01" + data[place + 4 :]
            writer.write(data)


@asynccontextmanager
async def proxied(url: str) -> AsyncIterator[tuple[Proxy, str]]:
    """Put a proxy before the server of a URL; gives the proxy and the URL that leads through it."""
    parts = urlsplit(url)
    assert parts.port is not None
    proxy = Proxy(parts.port)
    server = await asyncio.start_server(proxy.serve, HOST, 0)
    port = server.sockets[0].getsockname()[1]
    login = parts.netloc.rpartition("@")[0]
    try:
        yield proxy, parts._replace(netloc=f"{login}@{HOST}:{port}").geturl()
    finally:
        server.close()
