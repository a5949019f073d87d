"""The command `badges worker`, as far as it comes without a stack."""

import os
import socket
import subprocess
import sys


def test_a_metrics_port_in_use_is_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        ended = subprocess.run(
            [sys.executable, "-m", "badges.console.cli.main", "worker"],
            env={**os.environ, "BADGES_METRICS_PORT": str(port)},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )

    assert ended.returncode == 2
    assert ended.stderr.startswith(f"badges: metrics cannot be served at 127.0.0.1, port {port}: ")
    assert ended.stderr.count("\n") == 1
    assert "--metrics-port" in ended.stderr
