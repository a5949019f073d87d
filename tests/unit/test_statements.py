"""Cutting SQL into statements, and the migrations' names."""

import re

import pytest

from schema import migrations
from schema.statements import bare, split


@pytest.mark.parametrize(
    ("sql", "expected"),
    [
        ("SELECT 1; SELECT 2", ["SELECT 1", "SELECT 2"]),
        ("SELECT ';'; SELECT \";\";", ["SELECT ';'", 'SELECT ";"']),
        ("SELECT 'it''s; one';", ["SELECT 'it''s; one'"]),
        ("DO $$ BEGIN; END $$; SELECT 1", ["DO $$ BEGIN; END $$", "SELECT 1"]),
        ("DO $a$ $$;$$ ; $a$;", ["DO $a$ $$;$$ ; $a$"]),
        ("-- one; two\nSELECT 1;", ["-- one; two\nSELECT 1"]),
        ("/* a; */ SELECT 4 - 2 / 1;", ["/* a; */ SELECT 4 - 2 / 1"]),
        ("-- nothing\n;;\n", []),
    ],
)
def test_a_quoted_semicolon_does_not_end_a_statement(sql: str, expected: list[str]) -> None:
    assert split(sql) == expected


def test_a_statement_without_its_comments() -> None:
    assert bare("-- why\nSELECT '--' /* so */ ;") == "SELECT '--'  ;"


def test_files_are_named_as_the_supabase_cli_names_them() -> None:
    every = migrations.load()
    assert [each.version for each in every] == sorted({each.version for each in every})
    assert all(re.fullmatch(r"\d{14}", each.version) for each in every)
    assert all(re.fullmatch(r"[a-z_]+", each.name) for each in every)


def test_files_from_now_on_say_whose_they_are() -> None:
    every = migrations.load()
    assert migrations.UNMARKED in {each.version for each in every}
    later = [each for each in every if each.version > migrations.UNMARKED]
    assert [each.name for each in later if not each.sql.startswith(migrations.MARK)] == []
