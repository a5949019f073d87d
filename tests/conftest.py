"""Fixtures that every test may use, and the rule that in CI nothing may be skipped unseen."""

import os
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from asyncpg.connect_utils import TLSUpgradeProto
from hypothesis import HealthCheck, settings
from xdist.remote import Producer

from badges.stack import docker, secrets
from badges.stack.infra import Infra
from badges.stack.layout import Layout
from streams.errors import Failure
from tests import hangs, programs, reruns
from tests.launcher import Launcher, launching
from tests.parts import Containers
from tests.reruns import STACK
from tests.scheduling import ByFile
from tests.stack import Stack, free_port_base, guarded, running_postgres

# Helpers say what they compared as well, not tests alone.
for room in ("api", "clients", "contract", "integration", "acceptance", "pages"):
    pytest.register_assert_rewrite(f"tests.{room}")

LONGEST = (
    "tests/acceptance/test_seeing.py",
    "tests/integration/test_faults_at_random.py",
    "tests/acceptance/test_api.py",
    "tests/integration/test_faults_standstill.py",
    "tests/integration/test_source_live.py",
    "tests/integration/test_dead_letters.py",
    "tests/integration/test_doctor.py",
    "tests/integration/test_resnapshot.py",
    "tests/integration/test_faults_bounded.py",
    "tests/integration/test_pipeline_true_source.py",
    "tests/integration/test_lag_breaks.py",
    "tests/integration/test_nobody_works.py",
    "tests/integration/test_lockout.py",
    "tests/acceptance/test_demo.py",
    "tests/integration/test_lost_tail.py",
    "tests/integration/test_upgrade.py",
    "tests/acceptance/test_make_up.py",
    "tests/api/test_preview.py",
    "tests/integration/test_preview.py",
    "tests/api/test_description.py",
    "tests/api/test_criteria.py",
    "tests/integration/schema/test_criteria.py",
    "tests/api/test_unlocks_many.py",
    "tests/integration/test_dashboard.py",
    "tests/pages/test_dashboard.py",
    "tests/pages/test_admin_axe.py",
    "tests/pages/test_admin_badge.py",
)
"""Files that begin first, so that no process is left with one when the others are done."""

# How long an example takes says more of the machine than of the code.
settings.register_profile("patient", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("patient")
# What judges a change judges it by the same examples each time; elsewhere they are always new.
settings.register_profile("judging", derandomize=True, database=None)
if os.environ.get("BADGES_CI"):
    settings.load_profile("judging")

BY_DESIGN = "by design: "
"""How the reason of a skip begins that is right in CI too."""


def pytest_configure(config: pytest.Config) -> None:
    """Let SIGTERM end a run as ctrl-C does, and begin no run for want of an engine it needs."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    config.pluginmanager.register(hangs)
    config.pluginmanager.register(reruns)
    _forget_lost_connections()
    # Servers of tests live for minutes: the work of Java's second compiler never comes back.
    os.environ.setdefault("JDK_JAVA_OPTIONS", "-XX:TieredStopAtLevel=1")
    try:
        if docker.asked_for():
            docker.require_engine()
    except Failure as problem:
        raise pytest.UsageError(str(problem)) from None


def _forget_lost_connections() -> None:
    """Let nothing be told of a connection to Postgres that was given up while it was made.

    asyncpg leaves its error to nobody, and anyio has whatever test is at work fail of it.
    """
    told = TLSUpgradeProto.connection_lost

    def connection_lost(self: TLSUpgradeProto, error: Exception | None) -> None:
        told(self, error)
        if not self.on_data.cancelled():
            self.on_data.exception()

    setattr(TLSUpgradeProto, "connection_lost", connection_lost)  # noqa: B010


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile | None:
    """Share out what make test runs."""
    return ByFile(config, log) if config.getvalue("dist") == "loadfile" else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the longest files first."""
    places = {file: place for place, file in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get(item.nodeid.partition("::")[0], len(LONGEST)))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Make a skipped test a failed one under BADGES_CI: a machine that lacks something shows."""
    report = yield
    if os.environ.get("BADGES_CI") and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else ""
        if BY_DESIGN not in reason:
            report.outcome = "failed"
            report.longrepr = f"skipped, which BADGES_CI forbids: {reason}"
    return report


@pytest.fixture(scope="session")
def postgres(pytestconfig: pytest.Config) -> Iterator[Stack]:
    """Postgres 18 alone, started once for the run."""
    with running_postgres() as stack:
        pytestconfig.stash[STACK] = stack
        yield stack
        del pytestconfig.stash[STACK]


@pytest.fixture(scope="session")
def stack(postgres: Stack) -> Stack:
    """Postgres, Kafka and Connect, started once for the run.

    A test that stops or pauses a part starts it again.
    """
    postgres.start()
    return postgres


@pytest.fixture(autouse=True)
def _whole_stack(request: pytest.FixtureRequest) -> Iterator[None]:
    """Bring back what a failed test left dead or paused, so that it fails alone."""
    if "postgres" not in request.fixturenames:
        yield
        return
    stack: Stack = request.getfixturevalue("postgres")
    stack.disturbed.clear()
    running = stack.running()
    yield
    stack.repair(running)


@pytest.fixture
def database_url(postgres: Stack) -> Iterator[str]:
    """An empty database of the test's own; the URL is its owner's."""
    url = postgres.create_database()
    yield url
    postgres.drop_database(url)


@pytest.fixture
def local() -> None:
    """The parts are processes of this machine; where they are containers the test is skipped."""
    require_processes()


@pytest.fixture
def containers(tmp_path: Path) -> Iterator[Containers]:
    """Services of docker-compose.yml in a project of this test; skipped without containers."""
    if not docker.asked_for():
        pytest.skip(f"{BY_DESIGN}about containers, and the parts of this stack are processes")
    layout = Layout(tmp_path / "stack", free_port_base())
    layout.make("docker")
    with guarded(layout.run_dir):
        made = Containers(Infra(layout, secrets.ensure(layout.run_dir)))
        yield made
        made.remove()


@pytest.fixture
def launcher(tmp_path: Path) -> Iterator[Launcher]:
    """The launcher in a folder of its own; what it started is ended after the test."""
    require_processes()
    with launching(tmp_path / "stack") as made:
        yield made


@pytest.fixture(scope="session")
def chromium() -> Path:
    """The browser's program."""
    return _program("chromium")


@pytest.fixture(scope="session")
def prometheus() -> Path:
    """Prometheus' own program."""
    return _program("prometheus")


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Prometheus' checker of rules."""
    return _program("promtool")


@pytest.fixture(scope="session")
def postgres_15() -> Path:
    """The server program of PostgreSQL 15, the oldest that is supported; initdb is beside it."""
    return _program("postgres-15")


def require_processes() -> None:
    """Skip the test where the parts of the stack are containers."""
    if docker.asked_for():
        pytest.skip(f"{BY_DESIGN}about local processes, and STACK=docker has containers")


def _program(name: str) -> Path:
    found = programs.find(name)
    if found is None:
        pytest.skip(f"{name} is not installed")
    return found
