"""What people see of a stack who look at it: `badges lag`, the API and the dashboard."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, Error, Page, sync_playwright

from tests import http
from tests.acceptance.faults import Machine
from tests.pages.browser import ARGUMENTS
from tests.stack import LIMIT_S

_EVERY_S = 0.1


def status(machine: Machine) -> Any:
    """What GET /v1/status answers; nothing while it does not."""
    with suppress(httpx.HTTPError):
        address = machine.settings["BADGES_API_URL"]
        answer = http.get(f"{address}/v1/status")
        if answer.status_code == httpx.codes.OK:
            return answer.json()
    return {}


class Eyes:
    """The newest of each of them, by threads of their own."""

    def __init__(self, machine: Machine, chromium: Path) -> None:
        self.lag: Any = {}
        """What `badges lag --json` printed last."""
        self.page = ""
        """The text of the dashboard."""
        self._dashboard = machine.settings["BADGES_API_URL"] + "/?lang=en"
        self._chromium = chromium
        self._over = threading.Event()
        self._command = subprocess.Popen(
            [sys.executable, "-m", "badges.cli.main", "lag", "--json"],
            env={**os.environ, **machine.settings},
            stdout=subprocess.PIPE,
            text=True,
        )
        self._threads = [threading.Thread(target=each) for each in (self._read, self._watch)]
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Look no more."""
        self._over.set()
        self._command.kill()
        for thread in self._threads:
            thread.join(LIMIT_S)
            assert not thread.is_alive()
        self._command.wait(LIMIT_S)

    def _read(self) -> None:
        assert self._command.stdout is not None
        for line in self._command.stdout:
            self.lag = json.loads(line)

    def _watch(self) -> None:
        with tab(self._chromium) as browser:
            page = opened(browser, self._dashboard)
            while not self._over.wait(_EVERY_S):
                with suppress(Error):
                    self.page = page.inner_text("main")


@contextmanager
def tab(chromium: Path) -> Iterator[Browser]:
    """Chromium, in the thread that asks for it."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=ARGUMENTS, timeout=1000 * LIMIT_S
        )
        yield browser
        browser.close()


def opened(browser: Browser, address: str, token: str = "", **context: Any) -> Page:
    """A page in a window of its own, with a token in its tab if there is one."""
    window = browser.new_context(**context)
    if token:
        window.add_init_script(f"sessionStorage.setItem('token', {json.dumps(token)})")
    page = window.new_page()
    page.set_default_timeout(1000 * LIMIT_S)
    page.goto(address)
    return page
