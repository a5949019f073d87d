"""Texts that the connector cut, wherever the cut fell."""

import json

import msgspec
import pytest

from streams.filling.site import configuration
from streams.log.debezium import UNAVAILABLE
from streams.records import TrainingRecord, decode

ROW = (
    '{"id":"a","peer_mentor_id":"m","course_code":%s,"completed_on":1,"__op":"c",'
    '"__table":"training_completions"}'
)


def cut_by_debezium(text: str, units: int) -> str:
    """The text as JSON, cut after so many UTF-16 units, as Java cuts and Jackson writes it."""
    cut = text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "surrogatepass")
    return json.dumps(cut)


@pytest.mark.parametrize("before", ["", "a", "aa", "\\", "\\ud83d", '"', "\n", "æ"])
@pytest.mark.parametrize("units", [9, 10, 11, 12])
def test_half_a_pair_at_the_cut_is_dropped(before: str, units: int) -> None:
    text = before + "😀" * 10

    record = decode((ROW % cut_by_debezium(text, units)).encode())

    assert isinstance(record, TrainingRecord)
    whole = text.encode("utf-16-le")[: 2 * units].decode("utf-16-le", "ignore")
    assert record.course_code == whole
    assert text.startswith(record.course_code)


def test_half_a_pair_anywhere_else_cannot_be_read() -> None:
    with pytest.raises(msgspec.DecodeError):
        decode((ROW % r'"a\ud83db"').encode())


def test_every_text_that_is_published_is_cut_well_above_what_counts() -> None:
    config = configuration("abc", 7, UNAVAILABLE)
    (setting,) = [name for name in config if name.startswith("column.truncate.to.")]

    # A character outside the first 65,536 takes two of the units in which the connector cuts.
    assert int(setting.split(".")[3]) >= 2 * 200
    assert config[setting] == (
        "public[.](activities[.]activity_type|training_completions[.]course_code"
        "|badge_awards[.](tier|awarded_by|revoked_by|changed_by))"
    )
