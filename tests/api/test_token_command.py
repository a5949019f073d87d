"""`badges token`, and the API that takes what it signs."""

import json
import os
import subprocess
import sys
import time

import httpx
import jwt
import pytest

from badges.stack import secrets
from sinks.pool import Pool
from tests.api.conftest import Organization
from tests.api.service import SECRET, Service, bearer
from tests.stack import LIMIT_S, Stack

pytestmark = pytest.mark.anyio


def run(
    service: Service, *words: str, secret: str | None = SECRET, **settings: str
) -> subprocess.CompletedProcess[str]:
    secrets_told = {} if secret is None else {"BADGES_JWT_SECRET": secret}
    return subprocess.run(
        [sys.executable, "-m", "badges.cli.main", "token", *words],
        env={
            "PATH": os.environ["PATH"],
            "BADGES_DATABASE_URL": service.database_url,
            **secrets_told,
            **settings,
        },
        capture_output=True,
        text=True,
        check=False,
    )


async def slug_of(owner: Pool, organization: Organization) -> str:
    slug: str = await owner.fetchval(
        "SELECT slug FROM organizations WHERE id = $1", organization.id
    )
    return slug


async def called(service: Service, token: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=service.url, timeout=LIMIT_S) as client:
        return await client.get("/v1/peer-mentors", headers=bearer(token))


async def test_a_coordinators_token_opens_the_organization(
    service: Service, owner: Pool, mine: Organization
) -> None:
    ended = run(service, "--role", "coordinator", "--organization", await slug_of(owner, mine))

    assert ended.returncode == 0, ended.stderr
    answer = await called(service, ended.stdout.strip())
    found = {each["peer_mentor_id"] for each in answer.json()["items"]}
    assert found == set(mine.mentors)


async def test_a_mentors_token_names_the_mentor(
    service: Service, owner: Pool, mine: Organization
) -> None:
    words = ("--role", "mentor", "--organization", await slug_of(owner, mine), "--hours", "2")
    ended = run(service, *words, "--mentor", mine.mentors[1], "--json")

    signed = json.loads(ended.stdout)
    assert (signed["sub"], signed["organization_id"]) == (mine.mentors[1], mine.id)
    claims = jwt.decode(signed["token"], SECRET, ["HS256"], audience="authenticated")
    assert abs(claims["exp"] - time.time() - 7200) < 120
    assert (await called(service, signed["token"])).status_code == 403


async def test_it_says_it_where_the_settings_say(
    service: Service, owner: Pool, mine: Organization
) -> None:
    words = ("--role", "admin", "--organization", await slug_of(owner, mine))
    ended = run(
        service,
        *words,
        BADGES_JWT_ORGANIZATION_CLAIM="badges.home",
        BADGES_JWT_ROLE_CLAIM="badges.role",
        BADGES_JWT_AUDIENCE="badges",
        BADGES_JWT_ISSUER="https://issuer.example",
    )

    claims = jwt.decode(ended.stdout.strip(), SECRET, ["HS256"], audience="badges")
    assert claims["badges"] == {"home": mine.id, "role": "admin"}
    assert claims["iss"] == "https://issuer.example"


async def test_without_a_secret_it_is_the_local_stacks(
    service: Service, postgres: Stack, owner: Pool, mine: Organization
) -> None:
    run_dir = postgres.infra.layout.run_dir
    words = ("--role", "admin", "--organization", await slug_of(owner, mine))
    ended = run(service, *words, secret=None, BADGES_RUN_DIR=str(run_dir))

    secret = secrets.load(run_dir)["BADGES_JWT_SECRET"]
    claims = jwt.decode(ended.stdout.strip(), secret, ["HS256"], audience="authenticated")
    assert claims["app_metadata"] == {"organization_id": mine.id, "role": "admin"}


async def test_what_cannot_be_signed_is_one_line(
    service: Service, owner: Pool, mine: Organization, other: Organization
) -> None:
    slug = await slug_of(owner, mine)
    admin, mentor = ("--role", "admin"), ("--role", "mentor", "--organization", slug)
    for words, said in (
        ((*admin, "--organization", f"{slug}x"), f'(did you mean "{slug}"?)'),
        (mentor, "--mentor is needed with --role mentor"),
        ((*admin, "--organization", slug, "--mentor", mine.mentors[0]), "goes with no other"),
        ((*mentor, "--mentor", other.mentors[0]), f"has no mentor {other.mentors[0]}"),
        ((*mentor, "--mentor", "kari"), "Invalid value for '--mentor'"),
    ):
        ended = run(service, *words)
        assert (ended.returncode, ended.stdout) == (2, ""), ended
        assert ended.stderr.count("\n") == 1
        assert said in ended.stderr
