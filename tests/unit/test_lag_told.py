"""What is told of how far behind the awards are, by what each part has said."""

from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace

from streams.lag.answers import DatabaseAnswer, KafkaAnswer
from streams.lag.backlog import Backlog
from streams.lag.stages import Lag, assemble
from streams.log.connector_monitor import Outage
from tests.builders import generation

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
FRESH = NOW - timedelta(seconds=2)
WELL = DatabaseAnswer(
    True,
    NOW,
    generation(state="live"),
    decided_until=FRESH,
    slot="ok",
    confirmed=900,
    unconfirmed=8,
)
AWAY = DatabaseAnswer(slot="unreachable", reason="Postgres cannot be asked")
AT_THE_END = KafkaAnswer("ok", Backlog({0: 7, 1: 3}, {0: 0, 1: 0}, 1), {}, FRESH)
IDLE = Outage("connector_idle", "the connector is PAUSED")


def states(found: Lag) -> dict[str, str]:
    return {each.name: each.state for each in found.stages}


def test_what_is_well_is_on_time() -> None:
    found = assemble(WELL, AT_THE_END, None, 5)
    assert set(states(found).values()) == {"ok"}
    assert (found.on_time, found.stage, found.behind_seconds, found.behind_records) == (
        True,
        None,
        0,
        0,
    )


def test_postgres_that_is_away_holds_up_all_whatever_the_others_say() -> None:
    found = assemble(AWAY, KafkaAnswer("ok"), None, 5, unwritten=["connect_away"])
    assert states(found) == {
        "slot": "unreachable",
        "connector": "ok",
        "kafka": "ok",
        "worker": "behind",
    }
    assert (found.on_time, found.stage) == (False, "slot")
    assert (found.behind_seconds, found.alerts) == (None, ["connect_away"])
    assert found.stages[0].message == "Postgres cannot be asked"
    # One who has asked before knows at least how old the oldest row can be.
    later = replace(AWAY, now=NOW, generation=WELL.generation, decided_until=FRESH)
    assert assemble(later, KafkaAnswer("ok"), None, 5).behind_seconds == 2


def test_an_alert_that_has_a_row_as_well_is_told_once_with_its_time() -> None:
    database = replace(WELL, alerts={"nobody_works": NOW})
    found = assemble(database, AT_THE_END, None, 5, unwritten=["nobody_works"])
    assert found.alerts_since == {"nobody_works": NOW}
    assert (found.alerts, found.on_time) == (["nobody_works"], False)


@pytest.mark.parametrize(
    ("database", "kafka", "out", "silent", "stage"),
    [
        (WELL, KafkaAnswer("unreachable"), IDLE, "", "kafka"),
        (replace(WELL, slot="missing"), AT_THE_END, IDLE, "it is frozen", "slot"),
        (WELL, AT_THE_END, IDLE, "it is frozen", "connector"),
        (WELL, AT_THE_END, None, "it is frozen", "worker"),
        (replace(WELL, generation=None), KafkaAnswer("ok"), None, "", "connector"),
    ],
)
def test_the_one_that_holds_up_the_others_is_named(
    database: DatabaseAnswer, kafka: KafkaAnswer, out: Outage | None, silent: str, stage: str
) -> None:
    found = assemble(database, kafka, out, 5, silent=silent)
    assert (found.on_time, found.stage) == (False, stage)


def test_a_row_that_is_late_is_behind_at_the_worker() -> None:
    waiting = Backlog({0: 7, 1: 3}, {0: 2, 1: 0}, 1)
    kafka = KafkaAnswer("ok", waiting, {0: NOW - timedelta(seconds=9)}, FRESH)
    found = assemble(WELL, kafka, None, 5)
    assert (found.stage, found.behind_seconds, found.behind_records) == ("worker", 9, 2)
    assert assemble(WELL, kafka, None, 10).on_time
