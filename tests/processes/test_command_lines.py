"""Command lines as processes: how they end when they are used wrongly, and at Ctrl-C."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.stack import LIMIT_S
from tests.unit.test_wrong_use import ADDRESSED, NOBODY, Ended, the_line

BADGES = "from badges.cli.main import main; main()"
LAUNCHER = "import runpy; runpy.run_module('badges.stack', run_name='__main__')"


@pytest.fixture
def surroundings() -> dict[str, str]:
    """The environment without any variable of ours."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("BADGES_", "STACK"))
    }


@pytest.mark.parametrize(
    ("line", "variable", "said"),
    [
        (["badges.cli.main", "worker"], "BADGES_DATABASE_URL", "of the form"),
        (["badges.stack", "up"], "BADGES_RUN_DIR", "/dev/null "),
    ],
)
def test_a_command_line_ends_with_the_line_and_the_code(
    surroundings: dict[str, str], tmp_path: Path, line: list[str], variable: str, said: str
) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", *line],
        cwd=tmp_path,
        env={**surroundings, variable: "/dev/null"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert said in the_line(Ended(ended.returncode, ended.stdout, ended.stderr))


HEEDED = """
import os, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
event, argument, left = {event!r}, {argument!r}, {place}
heeds = False

def look(name, arguments):
    global heeds, left
    if not heeds:
        # Before that nothing of ours has run.
        heeds = signal.getsignal(signal.SIGINT) is not signal.default_int_handler
    if heeds and event in ("", name) and argument in ("", str(arguments[0] if arguments else "")):
        left -= 1
        if left == 0:
            os.write({reached}, b"reached")
            os.kill(os.getpid(), signal.SIGINT)

sys.addaudithook(look)
"""
"""Presses Ctrl-C when the process does the `place`-th thing of a kind since it first heeds that.

A kind is an event of Python's own audit hooks (any, if it is empty) and, if given, its argument.
"""


@pytest.mark.parametrize(
    ("program", "words", "event", "argument", "place"),
    [
        *((BADGES, ["worker"], "", "", place) for place in (1, 10, 100, 1_000, 3_000, 5_000)),
        *(
            (BADGES, ["worker"], "import", module, 1)
            for module in ("asyncpg", "aiokafka", "faust", "badges.worker_process")
        ),
        *((BADGES, [word], "socket.__new__", "", 1) for word in ADDRESSED),
        *((BADGES, [word], "socket.connect", "", 1) for word in ADDRESSED if word != "api"),
        (BADGES, ["api"], "socket.bind", "", 1),
        (BADGES, ["criteria", "validate", "-"], "import", "badges.cli.commands", 1),
        (LAUNCHER, ["down"], "", "", 100),
        (LAUNCHER, ["down"], "import", "badges.stack.command", 1),
    ],
    ids=lambda part: part[0] if isinstance(part, list) else "" if "import " in str(part) else None,
)
def test_ctrl_c_in_the_first_second_is_quiet(
    surroundings: dict[str, str],
    tmp_path: Path,
    program: str,
    words: list[str],
    event: str,
    argument: str,
    place: int,
) -> None:
    """A run in the background ignores Ctrl-C, and what it starts would too: so it is given back."""
    reads, writes = os.pipe()
    begun = HEEDED.format(event=event, argument=argument, place=place, reached=writes)
    with subprocess.Popen(
        [sys.executable, "-c", begun + program, *words],
        cwd=tmp_path,
        env={**surroundings, **NOBODY, "BADGES_API_PORT": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        pass_fds=[writes],
    ) as process:
        os.close(writes)
        try:
            output, errors = process.communicate(timeout=LIMIT_S)
        finally:
            process.kill()
    with os.fdopen(reads) as pipe:
        assert pipe.read() == "reached", errors

    assert "Traceback" not in errors
    assert "Error" not in errors.replace("ConnectionRefusedError", "")
    # A service that was at work ends in order.
    assert process.returncode == 130 or (words == ["worker"] and process.returncode == 0), errors
    assert output == ""
