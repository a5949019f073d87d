"""What goes wrong in a request is a problem, whatever it is, and no trace leaves."""

import json
from collections.abc import AsyncIterator, Iterator
from typing import Annotated, Any
from uuid import UUID

import asyncpg
import httpx
import pytest
from fastapi import APIRouter, Query
from pydantic import BaseModel, SecretStr
from structlog.testing import capture_logs

from badges.api.app import create_app
from badges.api.callers import AnyCaller
from badges.settings import Settings
from sinks.failures import translated
from tests.api.conftest import Organization
from tests.api.service import ORGANIZATION, SECRET, Service, bearer, signed

MEGABYTE = 1024 * 1024

pytestmark = pytest.mark.anyio

router = APIRouter(prefix="/v1/trial")


class Saved(BaseModel):
    name: str
    parts: list[UUID] = []


@router.post("/bodies")
async def take(caller: AnyCaller, body: Saved) -> Saved:
    del caller
    return body


@router.get("/numbers")
async def number(limit: Annotated[int, Query(ge=1)]) -> int:
    return limit


@router.get("/errors/{sqlstate}")
async def fail(sqlstate: str) -> None:
    with translated():
        if sqlstate == "none":
            raise ConnectionResetError("secret host")
        raise asyncpg.PostgresError.new({"C": sqlstate, "M": "Kari Nordmann is in the way"})


@router.get("/faults")
async def fault() -> None:
    raise LookupError("what nobody has foreseen, with s3cret in it")


@pytest.fixture(scope="module")
async def client() -> AsyncIterator[httpx.AsyncClient]:
    """A caller of an application with routes of the test's own, in this process."""
    app = create_app(Settings(_env_file=None, jwt_secret=SecretStr(SECRET)))
    app.include_router(router)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app, client=("127.0.0.1", 1)),
        base_url="http://api",
        headers=bearer(signed("admin", ORGANIZATION)),
    ) as client:
        yield client


def problem_of(answer: httpx.Response, status: int) -> dict[str, Any]:
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    found: dict[str, Any] = answer.json()
    assert found["status"] == status
    assert found["title"]
    assert found["detail"]
    assert "Traceback" not in answer.text
    return found


async def test_what_is_wrong_with_a_request_is_told_at_its_place(
    client: httpx.AsyncClient,
) -> None:
    body = {"name": 7, "parts": ["11111111-1111-4111-8111-111111111111", "a secret"]}

    found = problem_of(await client.post("/v1/trial/bodies", json=body), 422)

    assert [(each["path"], set(each)) for each in found["errors"]] == [
        ("$.name", {"path", "message", "hint"}),
        ("$.parts[1]", {"path", "message", "hint"}),
    ]
    assert "a secret" not in json.dumps(found), "nothing is repeated of what was sent"
    wrong = problem_of(await client.get("/v1/trial/numbers?limit=0"), 422)
    assert [each["path"] for each in wrong["errors"]] == ["query.limit"]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("{", "expected a JSON document, but at character 1"),
        ("", "expected a value, found none"),
        ('"text"', "expected an object"),
        ("null", "expected an object"),
    ],
)
async def test_a_body_that_is_no_document_is_told(
    client: httpx.AsyncClient, body: str, message: str
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/v1/trial/bodies", content=body, headers=headers)

    errors = problem_of(answer, 422)["errors"]
    assert [each["path"] for each in errors] == ["$"]
    assert message in errors[0]["message"]


async def test_a_body_of_another_type_is_told_how_to_be_sent(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/trial/bodies", content='{"name": "x"}')

    errors = problem_of(answer, 422)["errors"]
    assert errors[0]["hint"] == "send the header Content-Type: application/json"


@pytest.mark.parametrize(
    "body",
    [
        b'{"name": ' + b"[" * 100_000,
        b'{"name": ' + b'{"a":' * 100_000,
        b'{"name": "\xff"}',
        b'{"name": ' + b"9" * 10_000 + b"}",
    ],
)
async def test_what_no_parser_takes_is_no_fault_of_the_api(
    client: httpx.AsyncClient, body: bytes
) -> None:
    headers = {"Content-Type": "application/json"}
    answer = await client.post("/v1/trial/bodies", content=body, headers=headers)

    assert answer.status_code in {400, 422}
    problem_of(answer, answer.status_code)


def in_parts(size: int) -> Iterator[bytes]:
    yield b'{"name": "'
    for _ in range(size // 1024):
        yield b"x" * 1024
    yield b'"}'


async def test_a_body_is_refused_by_its_size_declared_or_counted(
    service: Service, mine: Organization
) -> None:
    with service.client("admin", mine.id) as client:
        small = client.post("/v1/peer-mentors", content=b"x")
        declared = client.post("/v1/peer-mentors", content=b"x" * (MEGABYTE + 1))
    assert small.status_code == 405
    assert "at most 1,048,576 bytes" in str(problem_of(declared, 413)["detail"])


async def test_a_body_that_does_not_say_its_size_is_counted(client: httpx.AsyncClient) -> None:
    async def parts(size: int) -> AsyncIterator[bytes]:
        for part in in_parts(size):
            yield part

    headers = {"Content-Type": "application/json"}
    most = await client.post("/v1/trial/bodies", content=parts(MEGABYTE - 1024), headers=headers)
    more = await client.post("/v1/trial/bodies", content=parts(2 * MEGABYTE), headers=headers)

    assert most.status_code == 200
    assert "at most 1,048,576 bytes" in str(problem_of(more, 413)["detail"])


async def test_where_nothing_is_is_told(client: httpx.AsyncClient) -> None:
    problem_of(await client.get("/v1/nothing"), 404)
    other = await client.delete("/v1/trial/bodies")
    assert problem_of(other, 405)
    assert other.headers["allow"] == "POST"
    several = await client.patch(f"/v1/badge-definitions/{ORGANIZATION}")
    assert several.headers["allow"] == "DELETE, GET, PUT"


@pytest.mark.parametrize(
    ("sqlstate", "status"),
    [
        ("57P01", 503),
        ("53300", 503),
        ("57014", 503),
        ("42501", 503),
        ("none", 503),
        ("22021", 422),
        ("22P05", 422),
        ("23505", 409),
        ("P0001", 409),
    ],
)
async def test_what_postgres_says_is_a_status_and_not_repeated(
    client: httpx.AsyncClient, sqlstate: str, status: int
) -> None:
    answer = await client.get(f"/v1/trial/errors/{sqlstate}")

    problem_of(answer, status)
    assert "Kari" not in answer.text
    assert "secret" not in answer.text
    assert ("retry-after" in answer.headers) == (status == 503)


async def test_what_nobody_has_foreseen_is_in_the_log_alone(client: httpx.AsyncClient) -> None:
    with capture_logs() as lines:
        answer = await client.get("/v1/trial/faults")

    found = problem_of(answer, 500)
    assert found["request_id"] == answer.headers["x-request-id"]
    assert "s3cret" not in answer.text
    [line] = [line for line in lines if line["log_level"] == "error"]
    assert line["exc_info"]


async def test_text_that_postgres_cannot_keep_is_the_callers(
    service: Service, mine: Organization
) -> None:
    with service.client("coordinator", mine.id) as client:
        answer = client.get("/v1/peer-mentors?search=%00")
    problem_of(answer, 422)
