"""Tokens: JWTs as Supabase issues them, checked and read."""

from http import HTTPStatus
from typing import Any, get_args
from uuid import UUID

import jwt

from badges.api.callers import Caller, Role
from badges.api.problem import ProblemError
from badges.settings import Settings

_SKEW_S = 30
"""So far clocks may differ."""


class Tokens:
    """Reads tokens by the settings: which key signs them, and for whom they are."""

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret
        self._audience = settings.jwt_audience

    async def caller(self, token: str) -> Caller:
        """Who a token names. Raises ProblemError, 401, when it is not to be trusted."""
        if self._secret is None:
            raise _refused("this API was started without BADGES_JWT_SECRET")
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                self._secret.get_secret_value(),
                algorithms=["HS256"],
                audience=self._audience,
                leeway=_SKEW_S,
                options={"require": ["exp", "sub"]},
            )
            metadata = claims["app_metadata"]
            if metadata["role"] not in get_args(Role):
                raise _refused(f"its role is none of {', '.join(get_args(Role))}")
            return Caller(
                mentor_id=UUID(claims["sub"]) if metadata["role"] == "mentor" else None,
                sub=claims["sub"],
                organization_id=UUID(metadata["organization_id"]),
                role=metadata["role"],
                expires_at=float(claims["exp"]),
            )
        except (jwt.InvalidTokenError, LookupError, TypeError, ValueError) as error:
            raise _refused(str(error)) from None


def _refused(why: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        f"The token is not accepted: {why}",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
