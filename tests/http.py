"""GET with a test's patience, however busy the machine is."""

from typing import Any

import httpx

from tests.stack import LIMIT_S

# One for all, for to read whom to trust takes longer than most answers; servers come and go.
_client = httpx.Client(timeout=LIMIT_S, limits=httpx.Limits(max_keepalive_connections=0))


def get(url: str, **more: Any) -> httpx.Response:
    return _client.get(url, **more)
