"""The command `badges worker`, as far as it comes without a stack."""

import os
import signal
import socket
import socketserver
import subprocess
import sys

import pytest

from tests.serving import serving
from tests.stack import LIMIT_S

WORKER = [sys.executable, "-m", "badges.cli.main", "worker"]


def worker(**variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        WORKER,
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=LIMIT_S,
        check=False,
    )


def test_a_metrics_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = worker(BADGES_METRICS_PORT=str(port))

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"badges: metrics cannot be served at 127.0.0.1, port {port}: ")
    assert ended.stderr.count("\n") == 1
    assert "--metrics-port" in ended.stderr


class Pooler(socketserver.BaseRequestHandler):
    """Refuses a client's settings in the way that PgBouncer does, word for word."""

    def handle(self) -> None:
        fields = b"SFATAL\0C08P01\0Munsupported startup parameter: search_path\0\0"
        self.request.recv(4096)
        self.request.sendall(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)


def test_a_pooler_in_the_place_of_postgres_is_one_line() -> None:
    with serving(socketserver.TCPServer(("127.0.0.1", 0), Pooler)) as address:
        ended = worker(BADGES_DATABASE_URL=f"postgresql://somebody@{address}/x?sslmode=disable")

    assert ended.returncode == 2
    # On a busy machine the pooler may not answer in time at first.
    (line,) = [each for each in ended.stderr.splitlines() if "waiting for Postgres" not in each]
    assert line.startswith("badges: BADGES_DATABASE_URL is not the address of a Postgres")
    assert "unsupported startup parameter: search_path" in line


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_worker_that_is_told_to_end_ends_in_order(number: signal.Signals) -> None:
    nobody = "postgresql://somebody@127.0.0.1:1/x"
    with subprocess.Popen(
        WORKER,
        env={**os.environ, "BADGES_DATABASE_URL": nobody},
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        try:
            assert any("waiting for Postgres" in line for line in process.stderr)
            process.send_signal(number)
            _, errors = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()

    assert process.returncode == 0, errors
    assert "Traceback" not in errors


HANGS = """
import time
from badges import logs, worker_process
from streams.errors import NameTaken
logs.configure()
worker_process._END_SECONDS = 0.01
worker_process._limit_end({error})
time.sleep(600)
"""


@pytest.mark.parametrize(
    ("error", "code", "said"),
    [
        ("None", 0, "ended without good order"),
        ("NameTaken('host-1')", 2, "badges: another worker that is alive has the name host-1 "),
        ("KeyError('lost')", 2, "KeyError: 'lost'"),
    ],
)
def test_an_end_that_hangs_is_limited_and_says_why(error: str, code: int, said: str) -> None:
    program = [sys.executable, "-c", HANGS.format(error=error)]
    ended = subprocess.run(program, capture_output=True, text=True, timeout=LIMIT_S, check=False)

    assert ended.returncode == code
    assert said in ended.stderr
    assert ended.stderr.count("ended without good order") == 1


def test_an_end_that_hangs_is_limited_where_nobody_reads_what_it_says() -> None:
    program = [sys.executable, "-c", HANGS.format(error="KeyError('lost')")]
    with subprocess.Popen(program, stderr=subprocess.PIPE) as ending:
        assert ending.stderr is not None
        ending.stderr.close()
        assert ending.wait(LIMIT_S) == 2
