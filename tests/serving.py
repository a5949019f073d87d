"""A server that a test runs beside itself, for what must answer at an address."""

from collections.abc import Iterator
from contextlib import contextmanager
from socketserver import TCPServer
from threading import Thread

_LOOKS_S = 0.01
"""How often the server looks whether the block is over."""


@contextmanager
def serving(server: TCPServer) -> Iterator[str]:
    """Let the server answer during the block, however that ends; its address, HOST:PORT."""
    with server:
        thread = Thread(target=server.serve_forever, args=(_LOOKS_S,))
        thread.start()
        try:
            yield "{}:{}".format(*server.server_address[:2])
        finally:
            server.shutdown()
            thread.join()
