"""A test whose servers did not start or were lost is run once more, on a fresh stack.

Nothing else is run again: what a test asserts, a limit that passes, and whatever comes of servers
that a test itself has stopped. Logs of what failed are kept in build/failed/, with the report.
"""

import re
import shutil
from collections.abc import Generator

import asyncpg
import httpx
import pytest
from _pytest.runner import runtestprotocol
from aiokafka.errors import KafkaConnectionError

from tests.stack import ServersLost, Stack

FAILED = pytest.StashKey[bool]()
"""Whether a test has failed, for those fixtures that are not used again then."""
STACK = pytest.StashKey[Stack]()
"""Of a run, the stack that its tests share, once there is one."""

UNREACHED = (
    ConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
    KafkaConnectionError,
    httpx.ConnectError,
)
"""What clients raise for a server that is not there; a stack says whether one is missing."""
RERUN = "rerun"
AGAIN = pytest.StashKey[bool]()
"""Of a test, whether it is run the second time."""


def were_lost(error: BaseException, stack: Stack | None) -> bool:
    """Whether an error says that servers failed, and that without the test's doing."""
    if isinstance(error, BaseExceptionGroup):
        return all(were_lost(each, stack) for each in error.exceptions)
    if isinstance(error, ServersLost):
        return True
    return isinstance(error, UNREACHED) and stack is not None and bool(stack.lost())


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note of a failure whether it is the servers', and keep the logs."""
    report = yield
    if report.failed and call.excinfo is not None:
        item.stash[FAILED] = True
        stack = item.config.stash.get(STACK, None)
        vars(report).update(lost=were_lost(call.excinfo.value, stack), why=call.excinfo.exconly())
        if stack is not None:
            _keep(item, report, stack)
    return report


def _keep(item: pytest.Item, report: pytest.TestReport, stack: Stack) -> None:
    which = f"{report.when}_again" if item.stash.get(AGAIN, False) else report.when
    name = re.sub(r"[^\w.-]+", "_", f"{item.nodeid}_{which}")[-200:]
    folder = item.config.rootpath / "build" / "failed" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    sections = "".join(f"\n\n{title}\n{text}" for title, text in report.sections)
    (folder / "report.txt").write_text(f"{item.nodeid}\n\n{report.longreprtext}{sections}\n")
    shutil.copytree(stack.logs, folder / "logs", dirs_exist_ok=True)
    report.sections.append(("kept", str(folder)))


def pytest_runtest_protocol(item: pytest.Item, nextitem: pytest.Item | None) -> bool:
    """Run a test, and once more where the first thing to fail were its servers."""
    item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
    reports = runtestprotocol(item, log=False, nextitem=nextitem)
    first = next((report for report in reports if report.failed), None)
    if first is not None and getattr(first, "lost", False):
        _end_all(item)
        item.stash[FAILED], item.stash[AGAIN] = False, True
        reports = runtestprotocol(item, log=False, nextitem=nextitem)
        then = "failed" if any(report.failed for report in reports) else "passed"
        vars(first).update(outcome=RERUN, then=then)
        reports.insert(0, first)
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)
    item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
    return True


def _end_all(item: pytest.Item) -> None:
    """End every fixture, the stack's too; those over it may fail to end, now that it is lost."""
    ended = pytest.CallInfo.from_call(
        lambda: item.session._setupstate.teardown_exact(None),
        when="teardown",
        reraise=(KeyboardInterrupt, pytest.exit.Exception),
    )
    if ended.excinfo is not None:
        print(f"as its servers were lost: {ended.excinfo.exconly()}")


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    """A first run that does not count has a category of its own."""
    return (RERUN, "R", "RERUN") if report.outcome == RERUN else None


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say of each test that was run once more what came of it, and count them."""
    firsts = terminalreporter.stats.get(RERUN, [])
    if not firsts:
        return
    terminalreporter.section("run once more on a fresh stack")
    for first in firsts:
        terminalreporter.line(f"{first.nodeid}: {first.then}, after {first.when}: {first.why}")
    passed = sum(first.then == "passed" for first in firsts)
    terminalreporter.line(
        f"run once more because servers did not start or were lost: {len(firsts)}, "
        f"of which {passed} passed then and {len(firsts) - passed} failed"
    )
