"""Who calls: what the bearer token says, and what each role may call."""

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Final, TypeAlias
from uuid import UUID

from fastapi import Depends, Request, Security
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from msgspec import Struct

from badges.api.problem import ProblemError
from badges.roles import Role

COORDINATES: Final[tuple[Role, ...]] = ("coordinator", "admin")

BEARER: Final = HTTPBearer(auto_error=False, bearerFormat="JWT", scheme_name="token")


class Caller(Struct, frozen=True):
    """A person of one organization."""

    sub: str
    organization_id: UUID
    role: Role
    expires_at: float
    """Seconds since 1970."""
    mentor_id: UUID | None = None
    """The peer_mentors row that a mentor is."""

    @property
    def claims(self) -> dict[str, object]:
        """As the database reads them, by the names that Supabase gives them: a mentor is `sub`."""
        return {
            "sub": self.sub if self.mentor_id is None else str(self.mentor_id),
            "app_metadata": {"organization_id": str(self.organization_id), "role": self.role},
        }


async def authenticated(
    request: Request,
    credentials: Annotated[HTTPAuthorizationCredentials | None, Security(BEARER)],
) -> Caller:
    """Who calls. Raises ProblemError, 401, without a token that is to be trusted."""
    if credentials is None:
        raise ProblemError(
            HTTPStatus.UNAUTHORIZED,
            "A bearer token is needed: send Authorization: Bearer TOKEN",
            headers={"WWW-Authenticate": "Bearer"},
        )
    caller: Caller = await request.app.state.tokens.caller(credentials.credentials)
    # For the line of the log that is written when the request is over.
    request.state.organization = str(caller.organization_id)
    return caller


AnyCaller: TypeAlias = Annotated[Caller, Depends(authenticated)]
"""Whoever has a token."""


def required(caller: Caller, roles: tuple[Role, ...]) -> Caller:
    """The caller, of one of these roles. Raises ProblemError, 403, for any other."""
    if caller.role not in roles:
        raise ProblemError(
            HTTPStatus.FORBIDDEN, f"This is for the role {' or '.join(roles)}, not {caller.role}"
        )
    return caller


def _one_of(roles: tuple[Role, ...]) -> Callable[[Caller], Caller]:
    def check(caller: AnyCaller) -> Caller:
        return required(caller, roles)

    return check


Coordinator: TypeAlias = Annotated[Caller, Depends(_one_of(COORDINATES))]
"""Who may read what is the organization's."""

Admin: TypeAlias = Annotated[Caller, Depends(_one_of(("admin",)))]
"""Who may change it."""
