"""The API as a process of its own, and tokens for it."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import jwt

from badges.stack.layout import HOST
from tests import http
from tests.stack import LIMIT_S, Stack, free_port_base, wait_for

SECRET = "a secret of the tests, long enough for HS256"
ORGANIZATION = "11111111-1111-4111-8111-111111111111"
"""One that tokens name where no database has to have it."""


@dataclass(frozen=True)
class Service:
    """A running API and the database behind it; the URL of that is its owner's."""

    url: str
    database_url: str
    process: subprocess.Popen[bytes]
    log: Path

    def client(
        self, role: str, organization: UUID | str, sub: UUID | str | None = None, **claims: Any
    ) -> httpx.Client:
        """A client that calls as somebody of an organization."""
        headers = bearer(signed(role, organization, sub, **claims))
        return http.Patient(base_url=self.url, headers=headers)

    def once(
        self, role: str, organization: UUID | str, sub: UUID | str | None = None
    ) -> httpx.Client:
        """One that takes the first answer, whatever that is."""
        headers = bearer(signed(role, organization, sub))
        return httpx.Client(base_url=self.url, headers=headers, timeout=LIMIT_S, limits=http.ANEW)

    def async_client(
        self, role: str, organization: UUID | str, sub: UUID | str | None = None
    ) -> httpx.AsyncClient:
        """One for many calls at once."""
        headers = bearer(signed(role, organization, sub))
        return http.AsyncPatient(base_url=self.url, headers=headers)

    def lines(self, since: int = 0) -> list[dict[str, Any]]:
        """What it has logged, from a byte of its log on."""
        return [json.loads(line) for line in self.log.read_bytes()[since:].splitlines()]


def errors(lines: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """The lines that tell of a fault.

    None are what Kafka's client says where there is no Kafka, and what asyncio says of a connection
    to Postgres that was given up while it was made: asyncpg leaves its error to nobody.
    """
    return [
        line
        for line in lines
        if line["level"] in {"error", "critical"}
        and line.get("logger") != "aiokafka"
        and "unexpected connection_lost() call" not in line["event"]
    ]


def bearer(token: str) -> dict[str, str]:
    """The header of a request that has a token."""
    return {"Authorization": f"Bearer {token}"}


def signed(
    role: str, organization: UUID | str, sub: UUID | str | None = None, **claims: Any
) -> str:
    """A token as Supabase would issue it, for an hour."""
    return jwt.encode(claims_of(role, organization, sub) | claims, SECRET, algorithm="HS256")


def claims_of(role: str, organization: UUID | str, sub: UUID | str | None = None) -> dict[str, Any]:
    """What such a token says."""
    return {
        "sub": str(sub or uuid4()),
        "aud": "authenticated",
        "exp": int(time.time()) + 3600,
        "app_metadata": {"organization_id": str(organization), "role": role},
    }


@contextmanager
def serving_api(stack: Stack, database_url: str, log: Path, **settings: str) -> Iterator[Service]:
    """Run `badges api` on a migrated database; it may be without Kafka."""
    port = free_port_base()
    environment = {
        **os.environ,
        **stack.environment(database_url),
        "BADGES_DATABASE_URL": stack.role_url("badges_api", database_url),
        "BADGES_API_PORT": str(port),
        "BADGES_JWT_SECRET": SECRET,
        # Most previews are of few mentors: a busy machine is no reason for a 503.
        "BADGES_PREVIEW_SECONDS": "25",
        **settings,
    }
    with log.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "badges.cli.main", "api"],
            env=environment,
            cwd=log.parent,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    service = Service(f"http://{HOST}:{port}", database_url, process, log)
    try:
        wait_for(lambda: _answers(service), LIMIT_S, f"the API of {log}")
        # Its first connection to Postgres may take longer than a caller is kept waiting for one.
        with service.client("admin", ORGANIZATION) as client:
            client.get("/v1/peer-mentors")
        yield service
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(LIMIT_S)


def _answers(service: Service) -> bool:
    with suppress(httpx.TransportError):
        return http.get(f"{service.url}/healthz").status_code == 200
    return False
