"""GET with a test's patience, however busy the machine is."""

from typing import Any

import httpx

from tests.stack import LIMIT_S

ANEW = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request: one that rests may be closed by the server as it is used again."""

# One for all, for to read whom to trust takes longer than most answers; servers come and go.
_client = httpx.Client(timeout=LIMIT_S, limits=ANEW)


def get(url: str, **more: Any) -> httpx.Response:
    return _client.get(url, **more)
