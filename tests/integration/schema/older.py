"""Databases that were migrated by a version before."""

import pytest

from schema import apply, migrations
from sinks.pool import Connection


async def migrate(db: Connection) -> apply.Report:
    return await apply.migrate(db, prefix="badges", role_passwords={})


async def migrate_to_before(
    db: Connection, version: str, monkeypatch: pytest.MonkeyPatch
) -> Connection:
    """Apply the migrations below this version to a database, and no others."""
    before = tuple(each for each in migrations.load() if each.version < version)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "load", lambda: before)
        await migrate(db)
    return db
