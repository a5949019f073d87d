"""`badges token`: a token for the API, as an issuer would sign one."""

import time
from datetime import UTC, datetime
from typing import Annotated, Any, TypeAlias
from uuid import UUID

import typer
from pydantic import SecretStr

from badges import event_loop, organizations, settings
from badges.cli.options import Json, print_json
from badges.roles import Role
from badges.settings import Settings
from badges.stack import addresses, layout, secrets
from schema.database import connect
from sinks.pool import Connection
from streams.errors import Failure

_ALGORITHM = "HS256"

_Claims: TypeAlias = dict[str, Any]


def token(
    role: Annotated[Role, typer.Option(help="What the caller is.")],
    organization: Annotated[str, typer.Option(help="The organization's slug or id.")],
    mentor: Annotated[
        UUID | None, typer.Option(help="The id of the mentor who calls; for that role alone.")
    ] = None,
    hours: Annotated[float, typer.Option(min=0.001, max=8760, help="How long it counts.")] = 12,
    as_json: Json = False,
) -> None:
    """Sign a token for the API, to try it out.

    Of an organization and role that you choose. The key is BADGES_JWT_SECRET, or without that the
    local stack's. Whoever has it can be anybody.
    """
    if (role == "mentor") != (mentor is not None):
        problem = "--mentor is needed with --role mentor, and goes with no other"
        raise Failure(problem, hint="An id is in peer_mentors, and in /v1/peer-mentors")
    signed = event_loop.run(
        lambda: _token(_completed(settings.load()), role, organization, mentor, hours)
    )
    if as_json:
        print_json(signed, indent=2)
    else:
        typer.echo(signed["token"])


def _completed(chosen: Settings) -> Settings:
    """The settings, with the local stack's secret and database where they name none."""
    if chosen.jwt_secret is not None and "database_url" in chosen.model_fields_set:
        return chosen
    place = layout.load()
    if chosen.jwt_secret is None and chosen.jwks_url is not None:
        problem = "only the issuer of BADGES_JWT_ISSUER signs tokens here"
        raise Failure(problem, hint="Ask it for one, or set BADGES_JWT_SECRET too")
    local = addresses.for_people(place, secrets.load(place.run_dir))
    updates = {
        "jwt_secret": chosen.jwt_secret or SecretStr(local[addresses.JWT_SECRET]),
        "database_url": chosen.database_url
        if "database_url" in chosen.model_fields_set
        else SecretStr(local["BADGES_DATABASE_URL"]),
    }
    return chosen.model_copy(update=updates)


async def _token(
    chosen: Settings, role: Role, organization: str, mentor: UUID | None, hours: float
) -> dict[str, str]:
    """A token, and what it says."""
    import jwt  # noqa: PLC0415 (no other command should wait for it)

    async with connect(chosen.database) as connection:
        organization_id = (await organizations.find(connection, organization)).id
        if mentor is not None:
            await _check_mentor(connection, mentor, organization_id, organization)
    now = int(time.time())
    expires = now + int(3600 * hours)
    sub = f"local-{role}" if mentor is None else str(mentor)
    claims: _Claims = {"sub": sub, "aud": chosen.jwt_audience, "iat": now, "exp": expires}
    if chosen.jwt_issuer is not None:
        claims["iss"] = chosen.jwt_issuer
    _put(claims, chosen.jwt_organization_claim, str(organization_id))
    _put(claims, chosen.jwt_role_claim, role)
    if mentor is not None:
        _put(claims, chosen.jwt_mentor_claim, str(mentor))
    assert chosen.jwt_secret is not None
    signed = jwt.encode(claims, chosen.jwt_secret.get_secret_value(), algorithm=_ALGORITHM)
    return {
        "token": signed,
        "role": role,
        "organization_id": str(organization_id),
        "sub": sub,
        "expires_at": datetime.fromtimestamp(expires, UTC).isoformat(),
    }


async def _check_mentor(
    connection: Connection, mentor: UUID, organization: UUID, name: str
) -> None:
    there = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM public.peer_mentors WHERE id = $1 AND organization_id = $2)",
        mentor,
        organization,
    )
    if not there:
        hint = "GET /v1/peer-mentors lists those that it has"
        raise Failure(f"{name} has no mentor {mentor}", hint=hint)


def _put(claims: _Claims, path: str, value: str) -> None:
    """Say something at a dotted path."""
    first, _, rest = path.partition(".")
    if rest:
        _put(claims.setdefault(first, {}), rest, value)
    else:
        claims[first] = value
