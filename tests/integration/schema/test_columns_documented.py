"""docs/schema.md names every column of every table, with its type, and no other."""

import re
from pathlib import Path

import pytest

from sinks.pool import Connection

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).parents[3] / "docs" / "schema.md"

SHORT = {"timestamp with time zone": "timestamptz"}

COLUMNS = """
SELECT c.relname::text AS table_name, a.attname::text AS name, a.attnotnull AS not_null,
       format_type(a.atttypid, a.atttypmod) AS type
FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r'
    AND a.attnum > 0 AND NOT a.attisdropped
"""


def documented() -> dict[str, dict[str, str]]:
    """By table and column, the type as the page has it."""
    part = PAGE.read_text(encoding="utf-8").partition("\n## The columns\n")[2].partition("\n## ")[0]
    sections = re.split(r"^### `(\w+)`$", part, flags=re.MULTILINE)[1:]
    return {
        table: dict(re.findall(r"^\| `(\w+)` \| ([^|]+) \|", text, re.MULTILINE))
        for table, text in zip(sections[::2], sections[1::2], strict=True)
    }


async def test_the_page_has_the_columns_of_a_migrated_database(db: Connection) -> None:
    found: dict[str, dict[str, str]] = {}
    for row in await db.fetch(COLUMNS):
        kind = SHORT.get(row["type"], row["type"]) + (", not null" if row["not_null"] else "")
        found.setdefault(row["table_name"], {})[row["name"]] = kind
    assert documented() == found
