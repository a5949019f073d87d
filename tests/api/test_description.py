"""/openapi.json, held against the running API: every answer has a form that is described there."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.service import Service, errors, signed
from tests.api.world import World, world

pytestmark = pytest.mark.anyio

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
MEDIA_TYPE = "application/problem+json"
UNANSWERED = "Postgres does not do what a request needs"
OF_WAITING = ("53", "55P03", "57")
"""SQLSTATEs of too many connections, of locks, and of statements that were ended."""
LIMIT_S = 300
"""Half a minute, on a machine that has nothing else to do."""


def explored(service: Service, token: str, folder: Path, seconds: int) -> None:
    """Call every route with what its description allows, and with what it does not."""
    command = [sys.executable, "-m", "schemathesis.cli", "--config-file", str(CONFIGURATION)]
    ended = subprocess.run(
        [
            *command,
            "run",
            f"{service.url}/openapi.json",
            *("--header", f"Authorization: Bearer {token}"),
            *("--generation-deterministic", "--no-color"),
            *("--suppress-health-check", "all", "--warnings", "off", "--continue-on-failure"),
            *("--request-timeout", "30"),
            *("--max-examples", "15", "--max-time", str(seconds)),
        ],
        cwd=folder,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        check=False,
        timeout=LIMIT_S,
    )
    assert ended.returncode == 0, ended.stdout[-20_000:] + ended.stderr


@pytest.fixture
async def there(owner: Pool, mine: Organization, other: Organization) -> World:
    return await world(owner, mine, other)


@pytest.mark.parametrize(("role", "seconds"), [("admin", 30), ("coordinator", 10), ("mentor", 10)])
async def test_every_answer_is_as_described_and_none_is_a_fault(
    service: Service, there: World, tmp_path: Path, role: str, seconds: int
) -> None:
    token = signed(role, there.organization, there.mentor if role == "mentor" else None)
    before = service.log.stat().st_size
    explored(service, token, tmp_path, seconds)
    lines = service.lines(since=before)
    assert errors(lines) == []
    without_answer = [line for line in lines if line["event"] == UNANSWERED]
    assert [line for line in without_answer if not is_of_waiting(line)] == []


def is_of_waiting(line: dict[str, Any]) -> bool:
    """Whether Postgres had no time, or nobody gave it any, instead of being asked wrongly."""
    return str(line["sqlstate"]).startswith(OF_WAITING) or "TimeoutError" in line["error"]


async def test_every_route_describes_who_may_call_it_and_its_problems(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        described = client.get("/openapi.json").json()
    assert described["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    operations = {
        f"{method} {path}": operation
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    }
    assert operations
    for name, operation in operations.items():
        secured = operation.get("security")
        assert bool(secured) == ("/v1/" in name), name
        for status, response in operation["responses"].items():
            if status >= "400":
                schema = response["content"][MEDIA_TYPE]["schema"]
                assert schema == {"$ref": "#/components/schemas/Problem"}, name
        expected = {"401", "403", "503"} if secured else set()
        assert expected <= set(operation["responses"]), name
    assert "HTTPValidationError" not in json.dumps(described)
