"""Who calls: what the bearer token says, and what each role may call."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, Literal, TypeAlias
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from msgspec import Struct

from badges.api.problem import ProblemError

Role: TypeAlias = Literal["admin", "coordinator", "mentor"]

_BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="token")


class Caller(Struct, frozen=True):
    """A person of one organization; a mentor is the peer_mentors row whose id is `sub`."""

    sub: str
    organization_id: UUID
    role: Role
    expires_at: float
    """Seconds since 1970."""

    @property
    def claims(self) -> dict[str, object]:
        """As the database reads them: by the names that Supabase gives them."""
        return {
            "sub": self.sub,
            "app_metadata": {"organization_id": str(self.organization_id), "role": self.role},
        }


async def _caller(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(_BEARER)],
) -> Caller:
    if credentials is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "A bearer token is needed: send Authorization: Bearer TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )
    caller: Caller = await request.app.state.tokens.caller(credentials.credentials)
    return caller


AnyCaller: TypeAlias = Annotated[Caller, Depends(_caller)]
"""Whoever has a token."""


def _one_of(*roles: Role) -> Callable[[Caller], Caller]:
    def check(caller: AnyCaller) -> Caller:
        if caller.role not in roles:
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                f"This is for the role {' or '.join(roles)}, not {caller.role}",
            )
        return caller

    return check


Coordinator: TypeAlias = Annotated[Caller, Depends(_one_of("coordinator", "admin"))]
"""Who may read what is the organization's."""

Admin: TypeAlias = Annotated[Caller, Depends(_one_of("admin"))]
"""Who may change it."""
