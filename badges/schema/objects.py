"""What the migrations create, read from their own statements, so that nothing is declared twice."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from badges.schema import migrations
from badges.schema.migrations import Migration
from badges.schema.statements import bare

_HEADS = {
    "schema": re.compile(r"CREATE SCHEMA IF NOT EXISTS (?P<name>\w+)"),
    "table": re.compile(r"CREATE TABLE (?:IF NOT EXISTS )?(?P<name>\w+\.\w+) \("),
    "view": re.compile(r"CREATE OR REPLACE VIEW (?P<name>\w+\.\w+)"),
    "function": re.compile(r"CREATE OR REPLACE FUNCTION (?P<name>\w+\.\w+)\("),
    "trigger": re.compile(
        r"CREATE OR REPLACE TRIGGER (?P<name>\w+)\s+.*? ON (?P<table>\w+\.\w+)", re.DOTALL
    ),
    "index": re.compile(
        r"CREATE (?:UNIQUE )?INDEX IF NOT EXISTS (?P<name>\w+)\s+ON (?P<table>\w+\.\w+)"
    ),
    "policy": re.compile(r"CREATE POLICY (?P<name>\w+) ON (?P<table>\w+\.\w+)"),
    "grant": re.compile(r"GRANT .* TO (?P<name>[\w, ]+)$", re.DOTALL),
    "revoke": re.compile(r"REVOKE \w+ ON public\.\w+ FROM (?P<name>\w+)$"),
    "always": re.compile(r"ALTER TABLE (?P<table>\w+\.\w+)\s+ENABLE ALWAYS TRIGGER (?P<name>\w+)$"),
    "closing": re.compile(
        r"SELECT badges_private\.close_to_public\(\s*'(?P<name>[^']+)'::(?P<table>\w+)\s*\)"
    ),
}

_NESTED_TABLE = re.compile(r"CREATE TABLE \w+\.\w+ \(.*?\n {8}\);", re.DOTALL)
_ALTERED = re.compile(r"ALTER TABLE public\.(?P<table>\w+)\s+(?P<changes>ADD COLUMN .*)", re.DOTALL)
_ADDED = re.compile(r"ADD COLUMN IF NOT EXISTS (?P<name>\w+) .*?(?=,\s+ADD COLUMN|$)", re.DOTALL)
_PARAMETERS = re.compile(r"CREATE OR REPLACE FUNCTION [\w.]+\((.*?)\)\s+RETURNS", re.DOTALL)
_BODY = re.compile(r"AS \$\$(.*)\$\$", re.DOTALL)


@dataclass(frozen=True)
class Wanted:
    """Something a migration creates: its kind, name, table (where it has one) and statement."""

    kind: str
    name: str
    table: str
    statement: str

    @property
    def body(self) -> str:
        """A function's source, as Postgres keeps it."""
        match = _BODY.search(self.statement)
        return match[1] if match else ""


def wanted() -> Iterator[Wanted]:
    """Everything that has a head above, in the order of the files; the last of each counts."""
    last: dict[object, Wanted] = {}
    for each in created():
        last.pop(_identity(each), None)
        last[_identity(each)] = each
    return iter(last.values())


def added_columns() -> dict[tuple[str, str], str]:
    """By table and name, the clause by which a migration adds a column to a table that is there."""
    return _added_by(migrations.load())


@cache
def _added_by(files: tuple[Migration, ...]) -> dict[tuple[str, str], str]:
    return {
        (found["table"], column["name"]): column[0]
        for migration in files
        for statement in migration.statements
        if (found := _ALTERED.match(bare(statement)))
        for column in _ADDED.finditer(found["changes"])
    }


def _identity(each: Wanted) -> object:
    """What a later file replaces: a function of the same parameters, anything else by its name."""
    if each.kind == "grant":
        return each
    parameters = _PARAMETERS.match(each.statement) if each.kind == "function" else None
    return each.kind, each.name, each.table, parameters and "".join(parameters[1].split())


def created() -> Iterator[Wanted]:
    """Everything that has a head above, what a later file replaces included."""
    for migration in migrations.load():
        for statement in migration.statements:
            text = bare(statement)
            yield from _read(text)
            if text.startswith("DO "):
                for nested in _NESTED_TABLE.finditer(text):
                    yield from _read(re.sub(r"\n {8}", "\n", nested[0].removesuffix(";")))


def _read(text: str) -> Iterator[Wanted]:
    for kind, head in _HEADS.items():
        match = head.match(text)
        if match:
            groups = match.groupdict()
            yield Wanted(kind, groups["name"], groups.get("table") or "", f"{text};")
