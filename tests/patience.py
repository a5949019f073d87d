"""Connections of people: unlike a worker they wait for locks, and idle in transactions."""

from unittest.mock import patch

from sinks.pool import SERVER_SETTINGS, Pool, create_pool
from tests.stack import LIMIT_S

_NO_LIMITS = {"lock_timeout": "0", "idle_in_transaction_session_timeout": "0"}


async def patient_pool(url: str, *, application_name: str) -> Pool:
    """As `sinks.pool.create_pool`, without its limits on a busy machine's delays."""
    with patch.dict(SERVER_SETTINGS, _NO_LIMITS):
        return await create_pool(url, application_name=application_name, command_timeout=LIMIT_S)
