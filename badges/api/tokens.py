"""Tokens: JWTs as Supabase issues them, checked and read."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, get_args
from uuid import UUID

import jwt
from jwt.utils import base64url_decode

from badges.api.callers import Caller
from badges.api.problem import ProblemError
from badges.api.signing_keys import ALGORITHMS, SigningKeys
from badges.roles import Role
from badges.settings import Settings
from tables.documents import read

_SKEW_S: Final = 30
"""So far clocks may differ."""
_LONGEST: Final = 8 * 1024
"""Characters. No issuer needs more, and nothing longer is looked at."""
_LONGEST_SUB: Final = 255
_SECRET_ALGORITHM: Final = "HS256"
_ROLES: Final[dict[str, Role]] = {role: role for role in get_args(Role)}

_REASONS: Final[tuple[tuple[type[jwt.PyJWTError], str], ...]] = (
    (jwt.ExpiredSignatureError, "it has expired (exp)"),
    (jwt.ImmatureSignatureError, "it is not valid yet (nbf, iat)"),
    (jwt.InvalidSignatureError, "its signature is not that of the key"),
    (jwt.InvalidAudienceError, "it is for another audience (aud)"),
    (jwt.InvalidIssuerError, "it is of another issuer (iss)"),
)
"""Why a token is refused, without anything that is in it."""


class Tokens:
    """Reads tokens by the settings: which keys sign them, and for whom they are.

    A key is for one algorithm. The secret is for HS256 alone and the issuer's public keys are for
    RS256 or ES256, each for its own, so what a token says about itself can only choose among them.
    Both at once are for an issuer that changes from one to the other.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._secret = settings.jwt_secret
        url = settings.jwks_url
        self.signing_keys = SigningKeys(url.get_secret_value()) if url else None

    async def caller(self, token: str) -> Caller:
        """Who a token names. Raises ProblemError: 401 when it is not to be trusted."""
        if len(token) > _LONGEST:
            raise _refused(f"it has more than {_LONGEST} characters")
        algorithm, key = await self._key(_document(token, 0))
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=self._settings.jwt_audience,
                issuer=self._settings.jwt_issuer,
                leeway=_SKEW_S,
                options={"require": ["exp"], "verify_sub": False, "verify_jti": False},
            )
        except (jwt.PyJWTError, ValueError, ArithmeticError, RecursionError) as error:
            raise _refused(_reason(error)) from None
        _document(token, 1)
        return self._read(claims)

    async def _key(self, header: Mapping[str, Any]) -> tuple[str, Any]:
        """The algorithm that checks a token with this header, and the key for it."""
        algorithm = header.get("alg")
        if algorithm == _SECRET_ALGORITHM and self._secret is not None:
            return _SECRET_ALGORITHM, self._secret.get_secret_value()
        if algorithm in ALGORITHMS and self.signing_keys is not None:
            key_id = header.get("kid")
            if not isinstance(key_id, str):
                raise _refused("it does not name the key that signed it (kid)")
            key = await self.signing_keys.key(key_id)
            if key is None or key.algorithm != algorithm:
                raise _refused("the issuer has no such key (kid, alg)")
            return key.algorithm, key.key
        taken = [_SECRET_ALGORITHM] if self._secret is not None else []
        taken += ALGORITHMS if self.signing_keys is not None else ()
        if not taken:
            raise _refused("this API was started without BADGES_JWT_SECRET and BADGES_JWKS_URL")
        raise _refused(f"it must be signed with {' or '.join(taken)}")

    def _read(self, claims: Mapping[str, Any]) -> Caller:
        sub = _text(claims, "sub")
        name = self._settings.jwt_role_claim
        role = _ROLES.get(_text(claims, name))
        if role is None:
            raise _refused(f"its role ({name}) is none of {', '.join(_ROLES)}")
        mentor = _uuid(claims, self._settings.jwt_mentor_claim) if role == "mentor" else None
        return Caller(
            sub=sub,
            organization_id=_uuid(claims, self._settings.jwt_organization_claim),
            role=role,
            expires_at=_expiry(claims),
            mentor_id=mentor,
        )


def _document(token: str, part: int) -> Mapping[str, Any]:
    """The header (part 0) or the claims of a token, where they say everything once."""
    parts = token.split(".")
    if len(parts) != 3:
        raise _refused("it is no JWT, which has three parts with dots between")
    try:
        text = base64url_decode(parts[part])
    except ValueError:
        raise _refused("it is no JWT, whose parts are base64url") from None
    document, wrong = read(text)
    if wrong or not isinstance(document, dict):
        raise _refused("it is no JWT, whose first two parts are JSON objects with each key once")
    return document


def _reason(error: Exception) -> str:
    if isinstance(error, jwt.MissingRequiredClaimError):
        return f"it has no claim {error.claim}"
    for kind, reason in _REASONS:
        if isinstance(error, kind):
            return reason
    return "it is no JWT that can be read, or its exp, nbf or iat is no time"


def _claim(claims: Mapping[str, Any], path: str) -> object:
    """What a dotted path leads to, None for nothing; a name may have dots of its own."""
    if path in claims:
        return claims[path]
    first, _, rest = path.partition(".")
    inner = claims.get(first)
    return _claim(inner, rest) if rest and isinstance(inner, dict) else None


def _text(claims: Mapping[str, Any], path: str) -> str:
    found = _claim(claims, path)
    if found is None:
        raise _refused(f"it has no claim {path}")
    if not isinstance(found, str) or not 0 < len(found) <= _LONGEST_SUB or not found.isprintable():
        raise _refused(f"its claim {path} is no text of 1 to {_LONGEST_SUB} printable characters")
    return found


def _uuid(claims: Mapping[str, Any], path: str) -> UUID:
    try:
        return UUID(_text(claims, path))
    except ValueError:
        raise _refused(f"its claim {path} is no UUID") from None


def _expiry(claims: Mapping[str, Any]) -> float:
    try:
        return float(claims["exp"])
    except OverflowError:
        raise _refused("its exp is no time") from None


def _refused(why: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNAUTHORIZED,
        f"The token is not accepted: {why}",
        headers={"WWW-Authenticate": 'Bearer error="invalid_token"'},
    )
