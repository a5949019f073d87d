"""What answers at Kafka Connect's address: Connect while it starts, or something else."""

import asyncio
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from streams.errors import ConnectAway, ConnectRefused
from streams.log import connect as connect_client
from streams.log.connect import PATIENCE_S, Connect
from tests.serving import serving

STARTING = b'{\n"message":"Not Found",\n"url":"http://connect/connectors",\n"status":"404"\n}'
"""Word for word what Connect's web server says before Connect itself is there."""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody here needs time between two questions, and a busy machine gets all it needs."""
    monkeypatch.setattr(connect_client, "POLL_S", 0.01)
    monkeypatch.setattr(connect_client, "_TIMEOUT_S", 180.0)


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


BUSY = b'{"error_code":409,"message":"Cannot complete request because of a conflicting operation"}'
CONFIG = b'{"name":"rows"}'


class Script(Answer):
    """Answers in turn as `answers` say, the last one for ever; None cuts the connection."""

    answers: ClassVar[list[tuple[int, bytes] | None]] = []
    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        self.asked.append(self.command)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        # A body left unread would end the connection in another way than is meant here.
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if answer is not None:
            self.send_response(answer[0])
            self.end_headers()
            self.wfile.write(answer[1])

    def do_POST(self) -> None:
        self.do_GET()

    def do_DELETE(self) -> None:
        self.do_GET()


def asked(
    act: Callable[[Connect], Awaitable[object]],
    *answers: tuple[int, bytes] | None,
    patience: float = PATIENCE_S,
) -> list[str]:
    """The methods that are asked with, when Connect answers so."""
    heard: list[str] = []
    script = type("Handler", (Script,), {"answers": list(answers), "asked": heard})

    async def ask(address: str) -> None:
        async with Connect(f"http://{address}/", patience=patience) as connect:
            await act(connect)

    with serving(HTTPServer(("127.0.0.1", 0), script)) as address:
        asyncio.run(ask(address))
    return heard


FOUND = (HTTPStatus.OK, CONFIG)
AWAY = pytest.mark.parametrize(
    "away",
    [
        pytest.param(None, id="cut off"),
        pytest.param((404, STARTING), id="starting"),
        pytest.param((409, BUSY), id="rebalancing"),
    ],
)


@AWAY
def test_a_command_asks_again_for_a_while(away: tuple[int, bytes] | None) -> None:
    async def ask(connect: Connect) -> None:
        assert await connect.config("rows") == {"name": "rows"}
        await connect.configure("rows", {"name": "rows"})

    assert asked(ask, away, away, FOUND, away, FOUND) == ["GET", "GET", "GET", "PUT", "PUT"]


def test_what_cannot_now_is_asked_again_once_connect_has_been_there() -> None:
    async def ask(connect: Connect) -> None:
        await connect.config("rows")
        await connect.config("rows")

    assert asked(ask, FOUND, (500, b""), (502, b""), FOUND) == ["GET"] * 4


@AWAY
def test_who_only_looks_hears_it_at_once(away: tuple[int, bytes] | None) -> None:
    async def ask(connect: Connect) -> None:
        await connect.config("rows")
        with pytest.raises(ConnectAway):
            await connect.config("rows")

    assert asked(ask, FOUND, away, patience=0) == ["GET"] * 2


@pytest.mark.parametrize(
    ("status", "body"), [(500, b"no such class"), (502, b"<html>"), (404, b"{}"), (200, b"<html>")]
)
def test_whoever_was_never_connect_is_told_of_at_once(status: int, body: bytes) -> None:
    async def ask(connect: Connect) -> None:
        with pytest.raises(ConnectAway):
            await connect.config("rows")

    assert asked(ask, (status, body)) == ["GET"]


def test_nobody_at_the_address_is_told_of_at_once() -> None:
    with HTTPServer(("127.0.0.1", 0), Answer) as free:
        nobody = "{}:{}".format(*free.server_address[:2])

    async def ask() -> None:
        async with Connect(f"http://{nobody}/", patience=60) as connect:
            with pytest.raises(ConnectAway):
                await connect.connectors()

    asyncio.run(ask())


def test_the_while_is_bounded() -> None:
    async def ask(connect: Connect) -> None:
        with pytest.raises(ConnectAway, match="it is starting"):
            await connect.config("rows")

    assert set(asked(ask, (404, STARTING), patience=0.01)) == {"GET"}


MADE = (HTTPStatus.CREATED, CONFIG)
NONE = (404, b'{"error_code":404,"message":"Connector rows not found"}')


def test_what_was_not_created_is_tried_again() -> None:
    async def ask(connect: Connect) -> None:
        await connect.create_stopped("rows", {})

    assert asked(ask, (404, STARTING), (409, BUSY), MADE) == ["POST"] * 3


def test_what_may_have_been_created_is_looked_for_and_not_created_twice() -> None:
    async def ask(connect: Connect) -> None:
        await connect.create_stopped("rows", {})
        with pytest.raises(ConnectAway):
            await connect.create_stopped("rows", {})

    assert asked(ask, None, FOUND, None, NONE) == ["POST", "GET", "POST", "GET"]


def test_another_one_of_that_name_is_not_what_was_created() -> None:
    async def ask(connect: Connect) -> None:
        with pytest.raises(ConnectAway):
            await connect.create_stopped("rows", {"tasks.max": "1"})

    assert asked(ask, None, FOUND) == ["POST", "GET"]


def test_what_is_gone_was_deleted() -> None:
    assert asked(lambda connect: connect.delete("rows"), None, NONE) == [
        "DELETE",
        "DELETE",
        "GET",
        "GET",
    ]
