"""The lines of pg_hba.conf that docs/operating/access.md gives, in a real server."""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

import asyncpg
import pytest

from sinks.pool import Connection
from tests.stack import LIMIT_S, Stack, running_postgres

DOCS = Path(__file__).parents[2] / "docs" / "operating" / "access.md"
LINES = re.search(r"```\n(# TYPE.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)


def put_before(file: Path, lines: str) -> None:
    file.write_text(lines + file.read_text(encoding="utf-8"), encoding="utf-8")


async def begin(owner: Connection) -> None:
    """Put the documented lines before those of the server, for this machine's own address."""
    assert LINES is not None
    await owner.execute("CREATE ROLE badges_connect LOGIN REPLICATION PASSWORD 'x'")
    file = Path(await owner.fetchval("SHOW hba_file"))
    put_before(file, LINES[1].replace("10.0.0.0/8", "127.0.0.1/32"))
    before = await owner.fetchval("SELECT pg_conf_load_time()")
    await owner.execute("SELECT pg_reload_conf()")
    async with asyncio.timeout(LIMIT_S):
        while before == await owner.fetchval("SELECT pg_conf_load_time()"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not await owner.fetch("SELECT * FROM pg_hba_file_rules WHERE error IS NOT NULL")


async def is_let_in(stack: Stack, database: str, settings: Mapping[str, str]) -> bool:
    port = stack.infra.layout.port("postgres")
    try:
        connection = await asyncpg.connect(
            host="127.0.0.1",
            port=port,
            user="badges_connect",
            password="x",
            database=database,
            server_settings=dict(settings),
        )
    except asyncpg.InvalidAuthorizationSpecificationError:
        return False
    await connection.close()
    return True


@pytest.mark.usefixtures("local")
def test_connect_is_kept_to_its_database() -> None:
    async def test(stack: Stack) -> None:
        owner = await asyncpg.connect(stack.database_url)
        try:
            await begin(owner)
            into_its_own = [
                await is_let_in(stack, "badges", settings)
                for settings in ({}, {"replication": "database"})
            ]
            elsewhere = [
                await is_let_in(stack, "postgres", settings)
                for settings in ({}, {"replication": "database"}, {"replication": "true"})
            ]
            the_whole_server = await is_let_in(stack, "badges", {"replication": "true"})
            assert await owner.fetchval("SELECT 1") == 1
        finally:
            await owner.close()
        assert into_its_own == [True, True]
        assert elsewhere == [False, False, False]
        assert not the_whole_server

    with running_postgres() as stack:
        asyncio.run(test(stack))
