"""The public keys that an issuer signs tokens with, fetched from its JWKS and kept."""

import asyncio
import math
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from http import HTTPStatus
from typing import Any, Final

import httpx
import jwt
import structlog
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from msgspec import Struct

from badges.api.problem import SOON, ProblemError

ALGORITHMS: Final = ("RS256", "ES256")

_FRESH_S: Final = 300.0
"""So long after it was withdrawn a key may still be taken for good."""
_BETWEEN_S: Final = 10.0
"""Tokens that name unknown keys make us fetch no more often than this, however many come."""
_FETCH_S: Final = 5.0
_MOST_BYTES: Final = 256 * 1024
_RSA_BITS: Final = 2048

_FAILURES: Final = (
    httpx.HTTPError,
    httpx.InvalidURL,
    TimeoutError,
    ValueError,
    RecursionError,
)

log = structlog.get_logger(__name__)


class SigningKey(Struct, frozen=True):
    """A public key, and the one algorithm that it is for."""

    algorithm: str
    key: Any
    """As PyJWT's algorithm takes it."""


class SigningKeys:
    """The issuer's keys by their ids. While it is away, those that were there last are kept.

    They are fetched again every five minutes, and when a token names one that is not known.
    """

    def __init__(self, url: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._url = url
        self._clock = clock
        self._keys: Mapping[str, SigningKey] | None = None
        self._next_fetch = -math.inf
        self._fetching: asyncio.Task[None] | None = None

    async def keep_fresh(self) -> None:
        """Fetch the keys for as long as the process lives."""
        while True:
            await self._fetch_once()
            await asyncio.sleep(_BETWEEN_S if self._keys is None else _FRESH_S)

    async def key(self, key_id: str) -> SigningKey | None:
        """The key with that id, None where the issuer has no such key.

        Raises ProblemError, 503, while no key at all could be fetched.
        """
        if key_id not in (self._keys or {}) and self._may_fetch():
            await self._fetch_once()
        if self._keys is None:
            raise ProblemError(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "The keys that sign tokens cannot be fetched now: try again soon",
                headers=SOON,
            )
        return self._keys.get(key_id)

    def _may_fetch(self) -> bool:
        return self._fetching is not None or self._clock() >= self._next_fetch

    async def _fetch_once(self) -> None:
        """Fetch, or wait for the fetch that is under way, which outlives whoever waits."""
        if self._fetching is None:
            self._next_fetch = self._clock() + _BETWEEN_S
            self._fetching = asyncio.create_task(self._fetch())
        await asyncio.shield(self._fetching)

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(_FETCH_S):
                self._keys = usable(await _document(self._url))
        except _FAILURES as error:
            log.warning(
                "the keys that sign tokens cannot be fetched (BADGES_JWKS_URL)",
                error=str(error) or type(error).__name__,
                kept=len(self._keys or {}),
            )
        finally:
            self._fetching = None


async def _document(url: str) -> object:
    async with (
        httpx.AsyncClient(timeout=_FETCH_S) as client,
        client.stream("GET", url) as answer,
    ):
        answer.raise_for_status()
        body = b""
        async for part in answer.aiter_bytes():
            body += part
            if len(body) > _MOST_BYTES:
                raise ValueError(f"the answer has more than {_MOST_BYTES} bytes")
    return httpx.Response(200, content=body).json()


def usable(document: object) -> dict[str, SigningKey]:
    """The keys of a JWKS that can check a signature, by their ids; others are passed over.

    A shared secret is no such key, whoever publishes it. Raises ValueError where it is no JWKS.
    """
    entries = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(entries, list):
        raise ValueError("the answer is no JWKS: it has no list of keys")
    found: dict[str, SigningKey] = {}
    for entry in entries:
        if isinstance(entry, dict) and isinstance(key_id := entry.get("kid"), str):
            with suppress(jwt.PyJWTError, ValueError, TypeError):
                key = _usable(entry)
                if key is not None:
                    found.setdefault(key_id, key)
    return found


def _usable(entry: dict[str, Any]) -> SigningKey | None:
    if entry.get("use", "sig") != "sig" or "d" in entry:
        return None
    key = jwt.PyJWK(entry)
    if key.algorithm_name not in ALGORITHMS:
        return None
    if isinstance(key.key, RSAPublicKey) and key.key.key_size < _RSA_BITS:
        return None
    return SigningKey(key.algorithm_name, key.key)
