"""What differs between the source that a log was filled from and the one that is there."""

import pytest
from msgspec.structs import replace

from streams.log.fingerprint import (
    SOURCES,
    Fingerprint,
    Publication,
    changes,
    identity_statement,
    renamed,
)
from streams.log_tables import NAMED
from tests.sources import changed, columns, source

NAME, FLAGS = "badges_mentor_log", ("insert", "update", "delete")

LASTING = {
    "another table": (changed("activities", oid=1), "public.activities is another table"),
    "no table": (
        changed("activities", oid=None, row=None, columns={}, others={}, triggers={}, identity=()),
        "there is no table public.activities",
    ),
    "not published": (
        changed("mentor_pauses", row=None, columns={}, others=columns("mentor_pauses")),
        "public.mentor_pauses is not in the publication any more",
    ),
    "published again": (
        changed("badge_awards", row=1),
        "public.badge_awards was taken out of the publication and added again",
    ),
    "fewer columns": (
        changed("activities", columns={"id": 1, "peer_mentor_id": 2, "activity_type": 3}),
        "column activity_date of public.activities is not published; "
        "column duration_minutes of public.activities is not published",
    ),
    "a row filter": (
        changed("activities", filter="(duration_minutes > 0)"),
        "the publication filters rows of public.activities",
    ),
    "a trigger that is gone": (
        changed("activities", triggers={}),
        "the trigger badges_delete_before_truncate of public.activities is gone",
    ),
    "a trigger that is disabled": (
        changed("activities", triggers={"badges_delete_before_truncate": "D"}),
        "the trigger badges_delete_before_truncate of public.activities is disabled, "
        "but it always fires",
    ),
    "a trigger that does not always fire": (
        changed("activities", triggers={"badges_delete_before_truncate": "O"}),
        "the trigger badges_delete_before_truncate of public.activities fires, but it always fires",
    ),
    "no publication": (
        Fingerprint(None, source().tables),
        "the publication badges_mentor_log is gone",
    ),
    "another publication": (
        replace(source(), publication=Publication(1, NAME, FLAGS)),
        "the publication badges_mentor_log was dropped and made again",
    ),
    "other flags": (
        replace(source(), publication=Publication(900, NAME, ("insert",))),
        "the publication badges_mentor_log publishes insert instead of insert, update, delete",
    ),
    "a column in the place of another": (
        changed(
            "activities",
            columns=columns("activities", duration_minutes="old_minutes"),
            others={"duration_minutes": 9},
        ),
        "column duration_minutes of public.activities is called old_minutes now, "
        "and another column has its name",
    ),
    "two columns that changed names": (
        changed(
            "mentor_pauses",
            columns=columns("mentor_pauses", starts_on="ends_on", ends_on="starts_on"),
        ),
        "column starts_on of public.mentor_pauses is called ends_on now, "
        "and another column has its name; "
        "column ends_on of public.mentor_pauses is called starts_on now, "
        "and another column has its name",
    ),
}

HARMLESS = {
    "nothing": source(),
    "a column that the application adds": changed("activities", others={"noted_at": 6, "mood": 7}),
    "one that it renames": changed("activities", others={"noticed_at": 6}),
    "one that it drops": changed("activities", others={}),
    "one that is published besides": changed(
        "activities", columns={**columns("activities"), "mood": 7}
    ),
    "the same identity in another order": changed("activities", identity=(1, 2)),
    "a trigger of ours besides": changed(
        "activities", triggers={"badges_delete_before_truncate": "A", "badges_new": "O"}
    ),
}


@pytest.mark.parametrize(("now", "text"), LASTING.values(), ids=LASTING)
def test_what_may_have_lost_rows_is_lasting(now: Fingerprint, text: str) -> None:
    found = list(changes(source(), now))

    assert {(change.kind, change.lasting) for change in found} == {("source_changed", True)}
    assert "; ".join(change.text for change in found).startswith(text)


@pytest.mark.parametrize("now", HARMLESS.values(), ids=HARMLESS)
def test_what_leaves_the_log_whole_is_no_change(now: Fingerprint) -> None:
    assert list(changes(source(), now)) == []


@pytest.mark.parametrize(
    ("table", "column"),
    [(table, column) for table in SOURCES for column in source().tables[table].columns],
)
def test_a_renamed_column_is_told_with_the_statement_that_names_it_back(
    table: str, column: str
) -> None:
    now = changed(table, columns=columns(table, **{column: "other"}))

    (change,) = changes(source(), now)

    assert (change.kind, change.lasting) == ("column_renamed", False)
    assert change.text.startswith(f"column {column} of public.{table} is called other now")
    assert change.statement == f'ALTER TABLE public.{table} RENAME COLUMN "other" TO "{column}";'
    assert renamed(source().tables[table], now.tables[table]) == {column: "other"}


def test_the_tables_of_the_source_are_those_of_the_records() -> None:
    assert tuple(NAMED) == SOURCES


def test_columns_of_another_table_are_not_compared_by_number() -> None:
    now = changed("activities", oid=1, columns=columns("activities", duration_minutes="minutes"))

    assert renamed(source().tables["activities"], now.tables["activities"]) == {}


USING_INDEX = (
    "ALTER TABLE public.activities REPLICA IDENTITY USING INDEX activities_mentor_identity_idx;"
)


@pytest.mark.parametrize(
    ("identity", "named", "lasting"),
    [
        ("full", "the full row", False),
        ((), "nothing", False),
        ((1, 6), "(id, noted_at)", False),
        ((1,), "(id)", True),
        ((2, 1, 4), "(peer_mentor_id, id, activity_date)", True),
    ],
)
def test_another_identity_lasts_where_it_lets_writes_through(
    identity: object, named: str, lasting: bool
) -> None:
    (change,) = changes(source(), changed("activities", identity=identity))

    assert (change.kind, change.lasting) == ("replica_identity", lasting)
    assert f"the replica identity of public.activities is {named}," in change.text
    assert change.statement == USING_INDEX


def test_an_identity_whose_index_is_gone_gets_it_first() -> None:
    (change,) = changes(source(), changed("activities", identity=(), indexed=False))

    assert not change.lasting
    assert change.statement == (
        "CREATE UNIQUE INDEX activities_mentor_identity_idx "
        f"ON public.activities (peer_mentor_id, id); {USING_INDEX}"
    )
    assert (
        identity_statement("peer_mentors", indexed=False)
        == "ALTER TABLE public.peer_mentors REPLICA IDENTITY DEFAULT;"
    )
