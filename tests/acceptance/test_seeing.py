"""Whatever breaks, whoever looks is told within ten seconds which part it is, and what mends it."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from badges.pages import site
from badges.remedies import REMEDIES
from tests import pressure
from tests.acceptance import screens
from tests.acceptance.faults import FAULTS, Fault, Machine
from tests.acceptance.local_stack import local_stack
from tests.acceptance.looking import Eyes, status, tab
from tests.acceptance.people import HERE
from tests.conftest import require_processes
from tests.stack import LIMIT_S, wait_for

WITHIN_S = 10.0
LATE_S = 5.0
"""So much later may be seen what was told by then: who looks looks each second, one after another,
and a machine of tests is seldom quiet."""
WORDS = site.texts("en")["dashboard"]
"""What the dashboard says in English."""


def allowed(before: float) -> float:
    """Within how many seconds all have to tell, on a machine that had waited for `before` then."""
    return WITHIN_S + LATE_S + pressure.since(before)


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machine]:
    """A whole stack that is up, and has people and badges."""
    require_processes()
    with local_stack(tmp_path_factory.mktemp("seeing") / "stack") as stack:
        whole = Machine(stack)
        whole.badges("catalogue", "apply", HERE.slug, "--activate", "--lang", "en")
        yield whole


@pytest.fixture
def eyes(machine: Machine, chromium: Path) -> Iterator[Eyes]:
    """Somebody who looks at it while all is well."""
    looks = Eyes(machine, chromium)
    try:
        wait_for(
            lambda: is_well(machine, looks), LIMIT_S, "a stack of which all say that it is well"
        )
        yield looks
    finally:
        looks.close()


def is_well(machine: Machine, eyes: Eyes) -> bool:
    """Whether everybody says so, and nothing is open any more."""
    told = status(machine)
    return (
        bool(eyes.lag and told)
        and eyes.lag["on_time"]
        and bool(told["lag"] and told["lag"]["on_time"])
        and told["alerts"] == []
        and WORDS["verdict_good"] in eyes.page
    )


def shows(lag: Any, fault: Fault) -> bool:
    """Whether the stage is late that the fault makes late, or, where it makes none, its alert."""
    states = {stage["name"]: stage["state"] for stage in lag.get("stages", ())}
    if not fault.stages:
        return fault.alert in lag.get("alerts", ())
    return all(states.get(name) in expected for name, expected in fault.stages.items())


def is_on_page(text: str, fault: Fault) -> bool:
    """Whether the dashboard says which stage holds the others up, and what the alert means."""
    held_up = [f"Held up at: {WORDS[f'stage_{name}']}" for name in fault.stages]
    return all(said in text for said in [*held_up, REMEDIES[fault.alert].what.en])


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name.replace(" ", "-"))
def test_whoever_looks_is_told_and_the_doctor_knows_the_remedy(
    machine: Machine, eyes: Eyes, fault: Fault
) -> None:
    told: dict[str, Callable[[], bool]] = {
        "badges lag": lambda: shows(eyes.lag, fault),
        "GET /v1/status": lambda: shows(status(machine).get("lag") or {}, fault),
        "the alert": lambda: any(
            a["kind"] == fault.alert for a in status(machine).get("alerts", ())
        ),
        "the dashboard": lambda: is_on_page(eyes.page, fault),
    }
    took: dict[str, float] = {}

    def all_told() -> bool:
        for name in told.keys() - took.keys():
            if told[name]():
                took[name] = time.monotonic() - began
                print(f"{fault.name}: {name} tells after {took[name]:.1f} s")
        return took.keys() == told.keys()

    try:
        fault.begin(machine)
        before, began = pressure.waited(), time.monotonic()
        wait_for(all_told, LIMIT_S, "that all tell of it")
        limit = allowed(before)
        # On a busy machine a check may not end in its time, which the doctor says instead.
        wait_for(lambda: bool(named(machine.doctor(), fault)), LIMIT_S, "that the doctor names it")
    finally:
        fault.mend(machine)

    print(f"{fault.name}: allowed are {limit:.1f} s")
    assert max(took.values()) <= limit, took
    wait_for(lambda: is_well(machine, eyes), LIMIT_S, "that all is well again")
    wait_for(lambda: is_content(machine.doctor(), fault), LIMIT_S, "that the doctor is content")


def is_content(diagnosis: Any, fault: Fault) -> bool:
    return bool(diagnosis["ok"]) and not named(diagnosis, fault)


def named(diagnosis: Any, fault: Fault) -> list[Any]:
    """What the doctor says of the fault."""
    return [
        check
        for check in diagnosis["checks"]
        if check["status"] != "ok"
        and any(fault.diagnosis in str(check[key]) for key in ("subject", "message", "fix"))
    ]


QUIET = 200
"""So few unlocks in a minute are those of people, not of a badge that is new."""
DASHBOARD = ("#verdict", "#behind", "#p50", "#unlocks", "#alerts-title", "#stages")
ADMIN = ("#sentence", "button[value=preview]", "#preview-heading", ".preview tbody tr")
"""What the pictures show."""


def awards(machine: Machine) -> int:
    """How many awards have been told of; a part of an answer is null while it is not known."""
    counts: list[int] = []

    def are_told() -> bool:
        told = status(machine).get("award_seconds")
        counts.extend([told["count"]] if told else [])
        return bool(counts)

    wait_for(are_told, LIMIT_S, "the number of awards")
    return counts[-1]


@pytest.fixture(scope="module")
def lively(machine: Machine) -> Machine:
    """The machine, while people earn badges and nothing else goes on."""

    def is_quiet() -> bool:
        told = status(machine)
        return bool(
            told.get("lag")
            and told["lag"]["on_time"]
            and told["lag"]["backfill"] is None
            and told["unlocks"]
            and told["unlocks"]["last_minute"] < QUIET
            and told["award_seconds"]
        )

    wait_for(is_quiet, LIMIT_S, "that everybody has the new badges")
    before = awards(machine)
    screens.live(machine)

    def unlocked() -> bool:
        told = status(machine)
        return bool(awards(machine) > before and told.get("lag") and told["lag"]["on_time"])

    wait_for(unlocked, LIMIT_S, "awards for what people do now")
    return machine


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_dashboard_is_as_the_readme_shows_it(
    lively: Machine, chromium: Path, theme: screens.Theme
) -> None:
    with tab(chromium) as browser:
        page = screens.page_of(lively, browser, "/?lang=en", theme)
        expect(page.locator("#verdict")).to_have_text(WORDS["verdict_good"], timeout=1000 * LIMIT_S)
        expect(page.locator("#p50")).to_contain_text("s", timeout=1000 * LIMIT_S)
        screens.in_sight(page, DASHBOARD)
        shown = screens.draw(page, "dashboard", theme)

    assert shown.stat().st_size < 150_000


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_admins_page_is_as_the_readme_shows_it(
    lively: Machine, chromium: Path, theme: screens.Theme
) -> None:
    token = screens.admin_token(lively)
    with tab(chromium) as browser:
        path = "/admin?lang=en#/new"
        page = screens.page_of(lively, browser, path, theme, token, screens.TALL)
        screens.write_badge(page)
        screens.in_sight(page, ADMIN)
        shown = screens.draw(page, "admin", theme)

    assert shown.stat().st_size < 150_000
