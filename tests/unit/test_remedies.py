"""The words for each kind of alert, which docs/operating/alerts.md has under its heading too."""

import re
from pathlib import Path

import pytest

from badges.cli.commands import COMMANDS
from badges.remedies import PAGE, REMEDIES, Remedy, remedy_of
from sinks.alerts import ALERTS, AlertKind

OPERATING = Path(__file__).parents[2] / "docs" / "operating"
MARKUP = re.compile(r"[`*\[\]]|\]\([^)]*\)|^#+ .*$", re.MULTILINE)


def sections() -> dict[str, str]:
    """What stands under each heading of an alert, without markup, in one line."""
    text = (OPERATING / PAGE).read_text(encoding="utf-8")
    parts = re.split(r"^### `(\w+)`$", text, flags=re.MULTILINE)[1:]
    assert len(parts[::2]) == len(set(parts[::2])), "a heading for each kind, once"
    return {
        kind: " ".join(MARKUP.sub("", body.partition("\n## ")[0]).split())
        for kind, body in zip(parts[::2], parts[1::2], strict=True)
    }


def said_by(remedy: Remedy) -> set[str]:
    """Each sentence of its English words."""
    return {*sentences(remedy.what.en), *sentences(remedy.todo.en)}


def sentences(text: str) -> list[str]:
    """Each sentence, without its stop."""
    return [each.rstrip(".") for each in re.split(r"(?<=\.) ", text)]


def test_there_is_a_remedy_and_a_heading_for_every_kind_and_no_other() -> None:
    assert set(REMEDIES) == set(ALERTS)
    assert set(sections()) == set(ALERTS)


@pytest.mark.parametrize("kind", ALERTS)
def test_the_page_has_the_words_of_the_remedy(kind: AlertKind) -> None:
    remedy, section = REMEDIES[kind], sections()[kind]
    assert {each for each in said_by(remedy) if each not in section} == set()
    assert remedy.command is None or remedy.command in section
    assert remedy.page == f"{PAGE}#{kind}"


@pytest.mark.parametrize("kind", [*ALERTS, "of_another_version"])
def test_words_are_plain_sentences_in_two_languages(kind: str) -> None:
    remedy = remedy_of(kind)
    for text in (remedy.what, remedy.todo):
        assert text.en != text.nb
        for words in text:
            assert words.endswith(".")
            assert len(sentences(words)) <= 2
            assert not re.search(r"[`*{}<>]", words), "pages show them as they are"


@pytest.mark.parametrize("kind", ALERTS)
def test_a_command_is_one_of_ours_and_named_alike_in_both_languages(kind: AlertKind) -> None:
    remedy = REMEDIES[kind]
    if remedy.command is not None:
        assert remedy.command.split()[0] == "badges"
        assert remedy.command.split()[1] in COMMANDS
    assert named(remedy.todo.en) == named(remedy.todo.nb)


def named(text: str) -> set[str]:
    """Our commands and settings that a text names."""
    return set(
        re.findall(r"badges (?:dead-letters [a-z]+|[a-z]+(?: --[a-z]+)?)|BADGES_[A-Z_]+", text)
    )


@pytest.mark.parametrize("kind", ["of_another_version", "unknown", "", "a {kind} <b>"])
def test_a_kind_of_another_version_is_named_and_leads_to_what_is_known_of_it(kind: str) -> None:
    remedy = remedy_of(kind)
    assert all(kind in words for words in remedy.what)
    assert all("badge_alerts" in words for words in remedy.todo)
    page, _, heading = remedy.page.partition("#")
    text = (OPERATING / page).read_text(encoding="utf-8")
    headings = re.findall(r"^## (.*)$", text, re.MULTILINE)
    assert heading in [each.lower().replace(" ", "-") for each in headings]
    section = " ".join(MARKUP.sub("", text.rpartition("\n## ")[2]).split())
    for words in (*sentences(remedy.what.en), *sentences(remedy.todo.en)):
        assert not kind or words.replace(f"kind {kind}", "kind …") in section
    assert all(remedy_of(each) is REMEDIES[each] for each in ALERTS)
