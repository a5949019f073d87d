"""A test that hangs fails alone, and a process that dies takes no other test with it."""

import pytest

from tests.stack import LIMIT_S, ROOT

CONFTEST = """
import pytest

from tests import hangs
from tests.scheduling import ByFile

hangs.LIMIT_S = 15.0


def pytest_configure(config):
    config.pluginmanager.register(hangs)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    return ByFile(config, log)
"""
OTHERS = """
from pathlib import Path

import pytest

@pytest.mark.parametrize("number", range(4))
def test_it(number):
    with Path(__file__).with_suffix(".txt").open("a") as file:
        file.write(str(number))
"""
HANGS = {
    "a test": "import threading\n\ndef test_it():\n    threading.Event().wait()",
    "a coroutine": """
import anyio
import pytest

pytestmark = pytest.mark.anyio

@pytest.fixture
def anyio_backend():
    return "asyncio"

@pytest.fixture
async def something():
    yield

async def waits_for_ever():
    await anyio.sleep_forever()

async def test_it(something):
    await waits_for_ever()
""",
    "the end of a fixture": """
import threading

import pytest

@pytest.fixture
def something():
    yield
    threading.Event().wait()

def test_it(something):
    raise AssertionError
""",
    "a process that dies": "import os\n\ndef test_it():\n    os._exit(7)",
}


@pytest.mark.parametrize("what", HANGS)
def test_the_others_go_on(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)
    more = "\n\ndef test_after():\n    pass"
    pytester.makepyfile(
        test_a=HANGS[what] + more, **{f"test_{name}": OTHERS for name in ("b", "c", "d")}
    )

    run = pytester.runpytest_subprocess(
        "-n", "2", "--dist", "loadfile", "-p", "no:cacheprovider", timeout=LIMIT_S
    )

    # Of the end of a fixture pytest tells apart from its test.
    run.assert_outcomes(failed=2 if what == "the end of a fixture" else 1, passed=13)
    if what != "a process that dies":
        assert "Timeout (0:00:" in run.stderr.str()
        told = run.stdout.str()
        assert "where it hung" in told
        assert "test_a.py::test_it" in told
    for name in ("b", "c", "d"):
        assert (pytester.path / f"test_{name}.txt").read_text() == "0123", "in another order"
    if what == "a coroutine":
        assert "in waits_for_ever" in told
