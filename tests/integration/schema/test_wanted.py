"""`schema/wanted.json` is what the migrations make of an empty database."""

import os

import msgspec
import pytest

from schema.database import OWN_SETTINGS
from sinks.pool import Connection
from tests.integration.schema.snapshot import FILE, take

pytestmark = pytest.mark.anyio


async def test_the_file_is_what_the_migrations_make(empty_db: Connection) -> None:
    for setting, value in OWN_SETTINGS.items():
        await empty_db.execute(f"SET {setting} = {value}")
    made = msgspec.json.format(msgspec.json.encode(await take(empty_db)), indent=1) + b"\n"
    if os.environ.get("WRITE_WANTED"):
        FILE.write_bytes(made)
    assert FILE.read_bytes() == made, "a migration changed: run this test with WRITE_WANTED=1"
