"""The HTTP API, where the settings say that there is one."""

from collections.abc import Sequence
from http import HTTPStatus

import httpx

from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, failed, ok


def _address(at: Deployment) -> str | None:
    """BADGES_API_URL, else where `badges api` listens by these settings, if they say so."""
    if at.chosen.api_url is not None:
        return at.chosen.api_url.get_secret_value().rstrip("/")
    if at.chosen.model_fields_set & {"api_host", "api_port"}:
        host = f"[{at.chosen.api_host}]" if ":" in at.chosen.api_host else at.chosen.api_host
        return f"http://{host}:{at.chosen.api_port}"
    return None


async def _alive(at: Deployment) -> Sequence[CheckResult]:
    address = _address(at)
    if address is None:
        return []
    fix = "start `badges api`, or set BADGES_API_URL"
    shown = str(httpx.URL(address).copy_with(userinfo=b""))
    try:
        answer = await at.http.get(f"{address}/healthz")
        alive = answer.status_code == HTTPStatus.OK and answer.json().get("status") == "ok"
    except (httpx.HTTPError, ValueError, AttributeError) as error:
        reason = str(error) or type(error).__name__
        return [failed(shown, f"the API does not answer at {shown}", fix, words=reason)]
    if not alive:
        return [failed(shown, f"what answers at {shown} is not this API", fix)]
    return [ok(shown, "the API answers")]


async def _ready(at: Deployment) -> Sequence[CheckResult]:
    address = _address(at)
    if address is None:
        return []
    answer = await at.http.get(f"{address}/readyz")
    if answer.status_code == HTTPStatus.OK:
        return [ok("/readyz", "the API reaches the database, and knows a log that is live")]
    message = f"the API cannot serve: /readyz answers {answer.status_code}"
    return [failed("/readyz", message, "set BADGES_DATABASE_URL of `badges api`; see its log")]


CHECKS = (
    Check("api", "API", _alive),
    Check("api_ready", "API", _ready, ("postgres",), ("api", "generation")),
)
