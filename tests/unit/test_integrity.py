"""The questions about a log, each answered from facts that differ in one thing."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from sinks.base import Place
from streams.log.cluster import Topic
from streams.log.generations import Decided
from streams.log.integrity import judge, sent_lsn
from streams.log.observation import Observation
from streams.log.topics import LOG_SETTINGS, wrong_settings
from streams.log.wal import Slot
from tests.builders import generation
from tests.sources import source

GENERATION = generation(3, log_id="id", partitions=2, starts=(4, 5))

WHOLE = Observation(
    state="live",
    reason=None,
    identity=("7", 1),
    filled_from=source(),
    source=source(),
    slot=Slot(wal_status="reserved", confirmed=100),
    decided={0: Decided(10, Place(9, "[1,2]"), 10), 1: Decided(20, Place(17, "[3,4]"), 20)},
    topic=Topic("badges.mentor-log.3", "id", 2),
    settings=LOG_SETTINGS,
    starts=(0, 0),
    ends=(10, 20),
    offsets=({"lsn": 100, "lsn_proc": 100, "lsn_commit": 90},),
    wal_end=100,
)


def test_a_whole_log_has_no_break() -> None:
    assert judge(GENERATION, WHOLE) is None


@pytest.mark.parametrize(
    ("kind", "lasting", "difference"),
    [
        ("database_behind", True, {"wal_end": 99}),
        ("log_broken", False, {"state": "broken", "reason": "somebody saw it"}),
        ("other_database", True, {"identity": ("8", 1)}),
        ("other_database", True, {"identity": ("7", 2)}),
        ("topic_missing", True, {"topic": None, "starts": (), "ends": ()}),
        ("topic_replaced", True, {"topic": Topic("badges.mentor-log.3", "another", 2)}),
        ("partitions_changed", True, {"topic": Topic("badges.mentor-log.3", "id", 3)}),
        ("topic_settings", False, {"settings": {**LOG_SETTINGS, "cleanup.policy": "compact"}}),
        ("log_cut", True, {"starts": (0, 1)}),
        ("log_short", True, {"ends": (10, 19)}),
        ("log_short", True, {"decided": {1: Decided(20, None, 21)}}),
        ("log_rewritten", True, {"reread": {0: "[1,2]", 1: "[5,6]"}}),
        ("log_rewritten", True, {"reread": {1: None}}),
        ("slot_missing", True, {"slot": None}),
        ("slot_lost", True, {"slot": Slot(wal_status="lost", confirmed=None)}),
        ("offsets_lost", True, {"offsets": ()}),
        ("snapshot_again", True, {"offsets": ({"lsn": 200, "snapshot": "INITIAL"},)}),
        ("snapshot_again", True, {"offsets": ({"lsn": 200}, {"lsn": 300})}),
        ("slot_ahead", True, {"slot": Slot(wal_status="reserved", confirmed=101)}),
    ],
)
def test_one_difference_is_one_break(
    kind: str, lasting: bool, difference: Mapping[str, Any]
) -> None:
    found = judge(GENERATION, msgspec.structs.replace(WHOLE, **difference))

    assert found is not None
    assert (found.kind, found.lasting) == (kind, lasting)
    assert ("new generation" in str(found)) == lasting


@pytest.mark.parametrize(
    "difference",
    [
        {"offsets": None},
        {"offsets": ({"lsn_proc": 100},)},
        {"slot": Slot(wal_status="extended", confirmed=None)},
        {"slot": Slot(wal_status="unreserved", confirmed=1)},
        {"ends": (1000, 2000)},
        {"decided": {}},
        {"reread": {0: "[1,2]", 1: "[3,4]"}},
        {"reread": {0: "[1,2]"}},
        {"decided": {0: Decided(10, Place(9, None), 0)}, "reread": {0: "[1,2]"}},
    ],
)
def test_what_only_delays_is_no_break(difference: Mapping[str, Any]) -> None:
    assert judge(GENERATION, msgspec.structs.replace(WHOLE, **difference)) is None


def test_the_connector_has_come_as_far_as_the_farthest_of_its_positions() -> None:
    assert sent_lsn({"lsn": 5, "lsn_proc": 7, "lsn_commit": 6}) == 7
    assert sent_lsn({"ts_usec": 1}) is None


def test_a_missing_setting_is_wrong_too() -> None:
    found = {"cleanup.policy": "delete", "retention.ms": "-1"}

    assert wrong_settings(found, LOG_SETTINGS) == ["retention.bytes is None, must be -1"]
