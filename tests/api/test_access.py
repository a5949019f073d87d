"""Who may call what: a decision for each route and each kind of caller."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import pytest
from fastapi.routing import iter_route_contexts

from badges.api.app import create_app
from badges.settings import Settings
from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.service import Service
from tests.api.world import CALLERS, THRESHOLD, World, world

pytestmark = pytest.mark.anyio


@dataclass(frozen=True)
class Decision:
    """What each of CALLERS gets, in their order, and what the call needs besides its path."""

    statuses: tuple[int, ...]
    path: Callable[[World], tuple[str, ...]] = lambda _: ()
    """For the parameters of the path."""
    call: Callable[[World], dict[str, Any]] = field(default=lambda _: {})

    def expected(self) -> dict[str, int]:
        return dict(zip(CALLERS, self.statuses, strict=True))


OPEN: Final = (200,) * len(CALLERS)
"""Also 503, where the route says so: these tests have no Kafka."""
COORDINATES: Final = (401, 403, 403, 200, 200, 403, 200)
"""A list: of the caller's own organization."""
COORDINATES_ONE: Final = (401, 403, 403, 200, 200, 403, 404)
ADMINISTERS: Final = (401, 403, 403, 403, 200, 403, 404)
"""One thing: of another organization it is not there."""

MENTORS_OWN: Final = (401, 200, 404, 200, 200, 404, 404)

DEFINITION: Final = {"key": "new", "name": "New", "criteria": THRESHOLD}


def definition(there: World) -> tuple[str, ...]:
    return (there.definition,)


def mentor(there: World) -> tuple[str, ...]:
    return (there.mentor,)


DECISIONS: Final = {
    "GET /openapi.json": Decision(OPEN),
    "GET /healthz": Decision(OPEN),
    "GET /readyz": Decision((503,) * len(CALLERS)),
    "GET /metrics": Decision(OPEN),
    "GET /": Decision(OPEN),
    "GET /admin": Decision(OPEN),
    "GET /mentor": Decision(OPEN),
    "GET /assets/{}": Decision(OPEN, lambda _: ("base.css",)),
    "GET /v1/lag": Decision((200, 403, 403, 200, 200, 403, 200)),
    "GET /v1/status": Decision((200, 403, 403, 200, 200, 403, 200)),
    "GET /v1/peer-mentors": Decision(COORDINATES),
    "GET /v1/peer-mentors/{}": Decision(MENTORS_OWN, mentor),
    "GET /v1/me": Decision((401, 200, 200, 200, 200, 404, 200)),
    "GET /v1/vocabulary": Decision(COORDINATES),
    "GET /v1/unlocks": Decision((401, 200, 200, 200, 200, 200, 200)),
    "POST /v1/peer-mentors/{}/badges": Decision(
        (401, 403, 403, 403, 201, 403, 404),
        mentor,
        lambda there: {"json": {"badge_definition_id": there.definition, "reason": "Thanks"}},
    ),
    "DELETE /v1/peer-mentors/{}/badges/{}": Decision(
        ADMINISTERS, lambda there: (there.mentor, there.given)
    ),
    "GET /v1/peer-mentors/{}/badges": Decision(MENTORS_OWN, mentor),
    "GET /v1/peer-mentors/{}/progress": Decision(MENTORS_OWN, mentor),
    "GET /v1/peer-mentors/{}/stats": Decision(MENTORS_OWN, mentor),
    "GET /v1/badge-definitions": Decision(COORDINATES),
    "POST /v1/badge-definitions": Decision(
        (401, 403, 403, 403, 201, 403, 201), call=lambda _: {"json": DEFINITION}
    ),
    "GET /v1/badge-definitions/{}": Decision(COORDINATES_ONE, definition),
    "PUT /v1/badge-definitions/{}": Decision(
        ADMINISTERS,
        definition,
        lambda _: {"json": DEFINITION, "headers": {"If-Match": '"1"'}},
    ),
    "DELETE /v1/badge-definitions/{}": Decision(ADMINISTERS, definition),
    "GET /v1/badge-definitions/{}/versions": Decision(COORDINATES_ONE, definition),
    "GET /v1/badge-definitions/{}/awards": Decision(COORDINATES_ONE, definition),
    "POST /v1/criteria/validate": Decision(
        (401, 200, 200, 200, 200, 200, 200), call=lambda _: {"json": THRESHOLD}
    ),
    "POST /v1/criteria/preview": Decision(
        (401, 403, 403, 403, 200, 403, 200), call=lambda _: {"json": {"criteria": THRESHOLD}}
    ),
}
"""By method and path, {} for whatever a route calls its parameters."""


def routes() -> Iterator[str]:
    """Every method and path that the application answers."""
    for route in iter_route_contexts(create_app(Settings(_env_file=None)).routes):
        for method in (route.methods or set()) - {"HEAD"}:
            yield f"{method} {re.sub('{[^}]*}', '{}', route.path or '')}"


def test_every_route_has_a_decision_and_every_decision_a_route() -> None:
    assert set(DECISIONS) == set(routes())


@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("route", DECISIONS)
async def test_each_caller_gets_what_was_decided(
    service: Service,
    owner: Pool,
    mine: Organization,
    other: Organization,
    route: str,
    caller: str,
) -> None:
    check(service, await world(owner, mine, other), route, caller)


@pytest.mark.parametrize("caller", ["another mentor", "foreign mentor", "foreign admin"])
@pytest.mark.parametrize("route", DECISIONS)
@pytest.mark.usefixtures("unguarded")
async def test_strangers_get_no_more_where_tables_are_without_row_level_security(
    service: Service,
    owner: Pool,
    mine: Organization,
    other: Organization,
    route: str,
    caller: str,
) -> None:
    check(service, await world(owner, mine, other), route, caller)


def check(service: Service, there: World, route: str, caller: str) -> None:
    """Call a route as somebody, and hold the answer against the decision."""
    decision = DECISIONS[route]
    method, path = route.split()
    url = path.replace("{}", "%s") % decision.path(there)
    wanted = decision.expected()[caller]
    with (
        # Where it is right that the API tells to come again, that is what is asked for.
        there.client(service, caller, patient=wanted != 503) as client,
        client.stream(method, url, **decision.call(there)) as answer,
    ):
        text = "" if is_endless(answer) else answer.read().decode()

    assert answer.status_code == wanted, text
    if answer.status_code >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
    elif "foreign" in caller or caller == "nobody":
        assert not [known for known in there.ids() if known in text]


def is_endless(answer: httpx.Response) -> bool:
    return answer.headers["content-type"].startswith("text/event-stream")


@pytest.mark.parametrize("route", [each for each in DECISIONS if "{}" in each and "/v1/" in each])
async def test_what_is_not_there_is_told_as_what_is_anothers(
    service: Service, owner: Pool, mine: Organization, other: Organization, route: str
) -> None:
    """Ids in the answer aside, nobody can tell which of them it was."""
    decision = DECISIONS[route]
    there = await world(owner, mine, other)
    method, path = route.split()
    answers = []
    for ids in (decision.path(there), ("00000000-0000-4000-8000-000000000000",) * 2):
        url = path.replace("{}", "%s") % ids[: path.count("{}")]
        with there.client(service, "foreign admin") as client:
            answer = client.request(method, url, **decision.call(there))
        said = answer.json()
        said["detail"] = re.sub("[0-9a-f]{8}-[0-9a-f-]{27}", "", said["detail"])
        answers.append((answer.status_code, said))
    assert answers[0] == answers[1]
