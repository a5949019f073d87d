"""Where a person is named, and what of a text they may read."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from badges.privacy import checkpoints
from badges.privacy.person import Person
from sinks.base import DeadLetter

MENTOR, ROW, OTHER, BADGE = (str(UUID(int=n << 64 | n)) for n in (10, 11, 12, 13))
PERSON = Person(MENTOR, frozenset({ROW}))


@pytest.mark.parametrize("text", [MENTOR, ROW.upper(), f'{{"mentors":["{OTHER}","{MENTOR}"]}}'])
def test_an_id_is_found_in_words(text: str) -> None:
    assert PERSON.named_in(text)


@pytest.mark.parametrize("text", ["", OTHER, MENTOR[:-1], MENTOR.replace("-", "")])
def test_other_words_name_nobody(text: str) -> None:
    assert not PERSON.named_in(text)


def letter(**told: Any) -> DeadLetter:
    """A dead letter that says this and nothing else."""
    now = datetime.now(UTC)
    return DeadLetter(
        **{"log_id": "log", "partition": 0, "offset": 1, "reason": "", "at": now, **told}
    )


@pytest.mark.parametrize(
    "told",
    [
        {"key": MENTOR.encode()},
        {"value": f'{{"peer_mentor_id":"{MENTOR}"}}'.encode()},
        {"row_id": ROW},
        {"reason": f"the row {ROW} says nothing"},
    ],
)
def test_a_dead_letter_is_about_who_is_named_anywhere_in_it(told: dict[str, Any]) -> None:
    assert PERSON.named_by(letter(**told))


def test_a_dead_letter_of_bytes_that_are_no_text_is_about_nobody() -> None:
    assert not PERSON.named_by(letter(key=b"\xff\xfe", value=b"\x00\xff", row_id=OTHER))


def test_a_person_reads_nothing_of_others() -> None:
    said = PERSON.without_others(f"{OTHER} and {MENTOR} and {ROW} by {BADGE}", {BADGE})
    assert said == f"another and {MENTOR} and {ROW} by {BADGE}"


def test_checkpoints_that_hold_somebody_are_removed_and_no_others(tmp_path: Path) -> None:
    (tmp_path / "log-0.checkpoint").write_bytes(b"\x00\x01" + MENTOR.encode() + b"\x02")
    (tmp_path / "log-1.checkpoint").write_bytes(b"\x00\x01" + OTHER.encode())
    (tmp_path / "log-2.checkpoint").write_bytes(b"")
    (tmp_path / "else").write_text(MENTOR)

    assert [path.name for path in checkpoints.holding(tmp_path, MENTOR)] == ["log-0.checkpoint"]
    assert checkpoints.remove(tmp_path, MENTOR) == 1
    assert checkpoints.remove(tmp_path, MENTOR) == 0
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {"log-1.checkpoint", "log-2.checkpoint", "else"}


def test_a_dead_letter_about_whom_somebody_gave_an_award_is_not_about_the_giver() -> None:
    told = letter(value=f'{{"peer_mentor_id": "{OTHER}", "awarded_by": "{MENTOR}"}}'.encode())
    assert not PERSON.named_by(told)


@pytest.mark.parametrize("directory", [None, Path("/nonexistent/of/nobody")])
def test_where_there_are_no_checkpoints_there_is_nothing_to_do(directory: Path | None) -> None:
    assert checkpoints.remove(directory, MENTOR) == 0
