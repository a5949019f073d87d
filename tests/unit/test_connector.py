"""The connector's configuration, and what provisioning reads out of its records and offsets."""

import re

import pytest

from schema import migrations
from streams.filling.next_generation import is_complete
from streams.filling.site import configuration
from streams.filling.snapshot_rows import snapshot_lsn
from streams.log import topics
from streams.log.connect import ConnectorStatus
from streams.log.debezium import UNAVAILABLE
from streams.log.generations import names

TABLES = ("peer_mentors", "activities", "training_completions", "mentor_pauses", "badge_awards")


def test_its_names_are_the_generations() -> None:
    config = configuration("abc", 7, UNAVAILABLE)
    wanted = names("abc", 7)

    assert config["slot.name"] == wanted.slot
    assert config["publication.name"] == "abc_mentor_log"
    assert config["transforms.toLog.replacement"] == wanted.topic
    assert config["transforms.toHeartbeats.replacement"] == wanted.heartbeat_topic
    assert not [value for value in config.values() if re.search(r"(?<!\$)\{[a-z]", value)]


def test_what_stands_for_texts_is_the_generations() -> None:
    setting = "unavailable.value.placeholder"

    assert configuration("abc", 7, "not sent 1")[setting] == "not sent 1"


def test_no_address_or_password_is_in_it() -> None:
    config = configuration("abc", 7, UNAVAILABLE)

    for setting in ("hostname", "port", "dbname", "user", "password"):
        name = "NAME" if setting == "dbname" else setting.upper()
        assert config[f"database.{setting}"] == f"${{env:BADGES_CONNECT_DATABASE_{name}}}"


def test_a_snapshot_reads_the_columns_that_are_published() -> None:
    config = configuration("abc", 7, UNAVAILABLE)
    included = re.compile(config["column.include.list"])

    # What a later migration publishes of a table is what counts.
    published = {
        table: columns
        for each in migrations.load()
        for statement in re.findall(r"\$publication\$(.*?)\$publication\$", each.sql, re.DOTALL)
        for table, columns in re.findall(r"public\.(\w+) \(([^)]*)\)", statement)
    }
    assert sorted(published) == sorted(TABLES)
    for table, columns in published.items():
        listed = re.search(rf"{table}\[\.\]\(([^)]*)\)", config["column.include.list"])
        assert listed is not None
        assert listed[1].split("|") == [column.strip() for column in columns.split(",")]
    for hidden in ("peer_mentors.display_name", "badge_awards.evidence", "activities.created_at"):
        assert not included.fullmatch(f"public.{hidden}")


@pytest.mark.parametrize(
    ("topic", "row", "heartbeat"),
    [
        *[(f"abc-7.public.{table}", True, False) for table in TABLES],
        ("abc-7.public.badge_heartbeats", False, True),
        ("heartbeat.abc-7", False, True),
        ("abc-7.notifications", False, False),
        ("abc-70.public.activities", False, False),
    ],
)
def test_only_rows_of_mentors_go_to_the_log(topic: str, row: bool, heartbeat: bool) -> None:
    config = configuration("abc", 7, UNAVAILABLE)

    assert bool(re.fullmatch(config["predicates.isRow.pattern"], topic)) == row
    assert bool(re.fullmatch(config["predicates.isHeartbeat.pattern"], topic)) == heartbeat
    keyed = [
        re.fullmatch(config[f"predicates.{name}.pattern"], topic)
        for name in ("isMentor", "isOfMentor")
    ]
    assert len([match for match in keyed if match]) == int(row)


def test_a_snapshot_is_over_when_connect_says_so() -> None:
    assert is_complete([{"lsn_proc": 5, "lsn": 5}])
    assert not is_complete([])
    assert not is_complete([{"lsn": 5}])
    assert not is_complete([{"lsn_proc": 5, "snapshot": "INITIAL"}])
    assert not is_complete([{"lsn_proc": 5}, {"lsn_proc": 6}])


def test_only_a_snapshots_row_has_a_snapshots_position() -> None:
    row = b'{"id":"x","__op":"%s","__table":"activities","__source_lsn":28958176}'

    assert snapshot_lsn(row % b"r") == 28958176
    assert snapshot_lsn(row % b"c") is None
    assert snapshot_lsn(rb'{"activity_type":"\"__op\":\"r\"","__op":"c","__source_lsn":1}') is None
    assert snapshot_lsn(None) is None


def test_the_log_is_kept_for_ever_and_replicas_have_to_agree() -> None:
    alone = topics.mentor_log("abc.mentor-log.7", 12, 1)
    three = topics.mentor_log("abc.mentor-log.7", 12, 3)

    assert alone.settings["retention.ms"] == alone.settings["retention.bytes"] == "-1"
    assert alone.settings["min.insync.replicas"] == "1"
    assert three.settings["min.insync.replicas"] == "2"


def test_a_failure_is_told_by_its_deepest_cause() -> None:
    trace = "ConnectException: an error\n\tat X\nCaused by: B: why\n\tat Y\nCaused by: C: because\n"

    assert ConnectorStatus("RUNNING", ("FAILED",), trace).cause == "C: because"
    assert ConnectorStatus("RUNNING", ("FAILED",), trace).failed
    assert ConnectorStatus("FAILED", (), "only this\n\tat X").cause == "only this"
    assert ConnectorStatus("FAILED", ()).cause == "no reason given"
