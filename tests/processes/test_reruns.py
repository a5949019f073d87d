"""A test is run once more where its servers were lost, and for no other reason."""

import httpcore  # noqa: F401 (by httpx, when it is used: what a run within a run imports is forgotten)
import pytest

from tests.stack import LIMIT_S, ROOT

CONFTEST = """
from tests import reruns


def pytest_configure(config):
    config.pluginmanager.register(reruns)
"""
BEGIN = '''
import socket
from pathlib import Path

import pytest

from badges.stack.infra import Infra
from badges.stack.layout import Layout
from streams.errors import Failure
from tests.reruns import STACK
from tests.stack import ServersLost, Stack, free_port_base

TIMES = Path(__file__).with_name("times")


def times(name):
    """How often this was called, this time included."""
    with TIMES.open("a") as file:
        file.write(f"{name}\\n")
    return TIMES.read_text().splitlines().count(name)


class Parts:
    """Servers that are nowhere, and do not start where a file says so."""

    def start(self, parts):
        if times("start") == 1 and TIMES.with_name("fails-to-start").exists():
            raise Failure("kafka did not answer within 180 s")

    def kill(self, part):
        pass

    def states(self):
        return {}


@pytest.fixture(scope="session")
def stack(pytestconfig, tmp_path_factory):
    layout = Layout(tmp_path_factory.mktemp("run"), free_port_base())
    layout.make()
    layout.log_file("kafka").write_text("what the broker said")
    made = Stack(Infra(layout, {"BADGES_OWNER_PASSWORD": "x"}), Parts())
    pytestconfig.stash[STACK] = made
    made.start()
    times("stack")
    yield made
    del pytestconfig.stash[STACK]
'''
REFUSED = "socket.create_connection(('127.0.0.1', stack.infra.layout.port('kafka')))"
ON_XDIST = [(), ("-n", "1", "--dist", "loadfile")]


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """Where a test file is run that has a stack of its own."""
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    pytester.makeconftest(CONFTEST)
    return pytester


def ended(run: pytest.Pytester, body: str, *options: str) -> pytest.RunResult:
    run.makepyfile(f"{BEGIN}\n\n{body}")
    if options:
        return run.runpytest_subprocess(*options, timeout=LIMIT_S)
    return run.runpytest_inprocess()


def test_a_stack_that_does_not_start_is_made_once_more(run: pytest.Pytester) -> None:
    (run.path / "fails-to-start").touch()

    result = ended(run, "def test_it(stack):\n    pass")

    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(
        [
            "*test_it: passed, after setup: *ServersLost: kafka did not answer within 180 s",
            "*servers did not start or were lost: 1, of which 1 passed then and 0 failed",
            "*1 passed, 1 rerun in *",
        ]
    )
    assert result.ret == 0


@pytest.mark.parametrize("options", ON_XDIST)
def test_a_server_that_is_not_there_gives_a_test_a_fresh_stack(
    run: pytest.Pytester, options: tuple[str, ...]
) -> None:
    body = f"""
def test_before(stack):
    assert times("before") == 1

def test_it(stack):
    if times("it") == 1:
        {REFUSED}

def test_after(stack):
    assert TIMES.read_text().splitlines().count("stack") == 2
"""
    result = ended(run, body, *options)

    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(["*1 passed then and 0 failed", "*3 passed, 1 rerun in *"])


def test_a_second_failure_is_one(run: pytest.Pytester) -> None:
    result = ended(run, f"def test_it(stack):\n    {REFUSED}")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*servers did not start or were lost: 1, *0 passed * 1 failed"])
    assert result.ret == pytest.ExitCode.TESTS_FAILED


ELSE = {
    "an assertion": "assert times('it') > 1, 'a wrong award'",
    "a limit": "times('it'); raise TimeoutError",
    "a server that it killed": f"stack.kill('kafka'); times('it'); {REFUSED}",
    "an assertion after one": f"""times('it')
    try:
        {REFUSED}
    except OSError:
        assert False""",
    "an assertion beside one": """times('it')
    raise ExceptionGroup('both', [ServersLost('it'), AssertionError('a wrong award')])""",
}


@pytest.mark.parametrize("body", ELSE.values(), ids=ELSE)
def test_nothing_else_is_run_again_and_its_logs_are_kept(run: pytest.Pytester, body: str) -> None:
    result = ended(run, f"def test_it(stack):\n    print('seed 17')\n    {body}")

    result.assert_outcomes(failed=1)
    assert (run.path / "times").read_text().splitlines().count("it") == 1
    result.stdout.no_fnmatch_line("*rerun in*")
    (kept,) = (run.path / "build" / "failed").iterdir()
    assert "seed 17" in (kept / "report.txt").read_text()
    assert (kept / "logs" / "kafka.log").read_text() == "what the broker said"
    result.stdout.fnmatch_lines([str(kept)])


def test_an_assertion_counts_before_what_its_end_meets(run: pytest.Pytester) -> None:
    body = f"""
@pytest.fixture
def there(stack):
    yield
    {REFUSED}

def test_it(there):
    assert False, "a wrong award"
"""
    result = ended(run, body)

    result.assert_outcomes(failed=1, errors=1)
    result.stdout.no_fnmatch_line("*rerun in*")
