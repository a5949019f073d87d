"""The socket that the API listens on."""

import socket

from badges.cli.api import _listening


def test_what_it_accepts_sends_at_once() -> None:
    with _listening("127.0.0.1", 0) as listening, socket.socket() as client:
        client.connect(listening.getsockname())
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
