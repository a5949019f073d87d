"""What answers at Kafka Connect's address: Connect while it starts, or something else."""

import asyncio
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from streams.errors import ConnectAway, ConnectRefused
from streams.log.connect import Connect
from tests.serving import serving

STARTING = b'{\n"message":"Not Found",\n"url":"http://connect/connectors",\n"status":"404"\n}'
"""Word for word what Connect's web server says before Connect itself is there."""


class Answer(BaseHTTPRequestHandler):
    """Answers every request in the same way."""

    status: ClassVar = 200
    body: ClassVar = b""

    def do_GET(self) -> None:
        self.send_response(self.status)
        self.end_headers()
        self.wfile.write(self.body)

    def do_PUT(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def said(status: int, body: bytes, *, user: str = "") -> str:
    """What is told of a Connect that answers so."""

    async def ask(address: str) -> str:
        async with Connect(f"http://{user}{address}/") as connect:
            with pytest.raises((ConnectAway, ConnectRefused)) as told:
                await connect.connectors()
            with pytest.raises((ConnectAway, ConnectRefused)) as again:
                await connect.validate({"connector.class": "any.Connector"})
            assert str(again.value) == str(told.value)
            return str(told.value).replace(address, "HERE")

    handler = type("Handler", (Answer,), {"status": status, "body": body})
    with serving(HTTPServer(("127.0.0.1", 0), handler)) as address:
        return asyncio.run(ask(address))


def test_connect_while_it_starts() -> None:
    assert said(404, STARTING) == "Kafka Connect at http://HERE: it is starting"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (404, b'{"detail":"Not Found"}'),
        (404, b"<html>\n<title>404 Not Found</title>\n</html>"),
        (404, b""),
        (404, b'{"error_code":404,"message":"HTTP 404 Not Found"}'),
        (200, b"<html>Log in</html>"),
        (302, b"<html>Moved</html>"),
        (404, b'["Not Found"]'),
    ],
)
def test_something_else(status: int, body: bytes) -> None:
    assert said(status, body) == "what answers at http://HERE is not Kafka Connect"


@pytest.mark.parametrize(
    ("status", "body", "end"),
    [
        (502, b"<html>\n<title>502</title>\n</html>", "it answers 502 Bad Gateway"),
        (500, b'{"error_code":500,"message":"Request timed\\nout"}', "Request timed out"),
    ],
)
def test_one_that_cannot_now_says_it_in_one_line(status: int, body: bytes, end: str) -> None:
    assert said(status, body) == f"Kafka Connect at http://HERE: {end}"


def test_a_login_that_fails_is_one_line() -> None:
    assert said(401, b"<html>\nWho?\n</html>") == (
        "Kafka Connect at http://HERE: it answers 401 Unauthorized"
    )


def test_the_address_is_said_without_user_and_password() -> None:
    told = said(404, b"", user="somebody:s3cret@")

    assert told == "what answers at http://HERE is not Kafka Connect"


class Garbled(Answer):
    """Says that what it sends is compressed, and it is not."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        self.wfile.write(b"hello")


def test_what_cannot_be_unpacked_is_no_answer() -> None:
    async def ask(address: str) -> None:
        async with Connect(f"http://{address}/") as connect:
            with pytest.raises(ConnectAway):
                await connect.connectors()

    with serving(HTTPServer(("127.0.0.1", 0), Garbled)) as address:
        asyncio.run(ask(address))
