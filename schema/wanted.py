"""What the migrations make of an empty database, as `wanted.json` has it.

The file is written from Postgres's catalog, and a test holds it against the migrations.
"""

from importlib.resources import files

from msgspec import Struct, json, structs

from sinks.column_types import Wanted

SOURCE = (
    "organizations",
    "peer_mentors",
    "activities",
    "training_completions",
    "mentor_pauses",
    "badge_definitions",
)
"""The application's tables; all others are ours."""

CASCADING = {"peer_mentors", "badge_definitions"}
"""With their rows goes what refers to them; with an organization it need not."""

_ALIKE = {"text": {"text", "character varying"}, "integer": {"integer", "smallint"}}
"""Types that serve as well: the log and the rules see no difference."""


class Column(Struct, frozen=True, omit_defaults=True):
    """A column; `default` is SQL, `added` where a migration adds it to a table that is there.

    `identity` is told of columns that are there alone.
    """

    name: str
    type: str
    not_null: bool
    default: str | None = None
    added: bool = False
    identity: bool = False

    @property
    def types(self) -> set[str]:
        """The types that will do, by Postgres' names."""
        return _ALIKE.get(self.type, {self.type})

    @property
    def needed(self) -> str:
        """The type and whether it may be null, as SQL."""
        return self.type + (" NOT NULL" if self.not_null else "")


class Thing(Struct, frozen=True, omit_defaults=True):
    """What has a name: its kind, the table it is of, what else must be the same, its statement.

    `runs` is a trigger's function.
    """

    kind: str
    name: str
    table: str = ""
    detail: str = ""
    statement: str = ""
    runs: str = ""


class TableKey(Struct, frozen=True):
    """A foreign key to the id of `target`, or a primary key, which has none."""

    table: str
    columns: list[str]
    target: str = ""


class Catalog(Struct, frozen=True):
    """All of it; tables and things in the order in which the migrations make them.

    `grants` are the rights of our roles on schemas, tables and functions, or on columns alone.
    `published` is what the publication shows of each table, and `published_since` what a later
    migration, by its version, added to the publication that an earlier one made.
    """

    tables: dict[str, list[Column]]
    keys: list[TableKey]
    things: list[Thing]
    grants: list[dict[str, str | list[str]]]
    published: dict[str, list[str]]
    published_since: dict[str, dict[str, list[str]]]


WANTED = json.decode(files(__package__).joinpath("wanted.json").read_bytes(), type=Catalog)

PRIMARY_KEYS = {each.table: each.columns for each in WANTED.keys if not each.target}

FOREIGN_KEYS = [
    each
    for each in WANTED.keys
    if each.target in CASCADING or (each.table == "peer_mentors" and each.target)
]
"""The foreign keys that an application's tables and the awards must have."""

BY_MENTOR = [name for name, columns in WANTED.published.items() if "peer_mentor_id" in columns]
"""The tables whose rows the log knows by mentor and id."""

OLDER = {name for name, columns in WANTED.tables.items() for each in columns if each.added}
"""Tables of ours that may be older than this project: missing columns are added."""


def _needed(table: str, column: Column) -> Column:
    """An application's own column may be null where ours has a default, and criteria may."""
    if table not in SOURCE or column.name == "id":
        return column
    known = column.default is None and column.name != "criteria"
    return structs.replace(column, not_null=column.not_null and known)


TABLES = {
    name: [_needed(name, each) for each in columns] for name, columns in WANTED.tables.items()
}
"""The columns that each table must have, the application's first."""

LOG_TYPES: Wanted = {
    name: {each.name: each.types for each in TABLES[name] if each.name in published}
    for name, published in WANTED.published.items()
}
"""By table and column, the types that `badges migrate` accepts, for whoever reads the log."""
