"""What `badges lag` says in words, on terminals of every width, and in one line."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest
from rich.console import Console

from badges.cli import lag_words
from badges.cli.lag_view import Sparkline, shown
from streams.lag import stages
from streams.lag.backfill import Backfill
from streams.lag.pulse import Restoring
from streams.lag.stages import (
    CatchUp,
    FillingState,
    GenerationState,
    Lag,
    PartitionLag,
    Stage,
)
from streams.log.cluster import Member

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
WELL = Lag(
    on_time=True,
    behind_seconds=0.0,
    behind_records=0,
    as_of=NOW,
    stages=[
        Stage("slot", "ok", 0.0, 56),
        Stage("connector", "ok", 0.0),
        Stage("kafka", "ok", 0.0, None, 0),
        Stage("worker", "ok", 0.0, None, 0),
    ],
    partitions=[PartitionLag(number, 7, 7, 0, 0.0) for number in range(12)],
    workers=[Member("a-host-1-c0585c59-fa92-4a7a-8bd7-5a3fb7404de8", "10.0.0.7", [*range(12)])],
    backfill=None,
    generation=GenerationState(1, "live"),
    alerts=[],
)
LATE = replace(
    WELL,
    on_time=False,
    behind_seconds=1234.5,
    behind_records=45_678,
    stages=[
        Stage("slot", "behind", 1234.5, 123_456_789),
        Stage("connector", "stopped", 1234.5, message="the connector is PAUSED. Run `x`"),
        Stage("kafka", "ok", None, None, 45_678),
        Stage("worker", "stopped", 1234.5, None, 45_678, "it is frozen. Let it go on"),
    ],
    partitions=[PartitionLag(number, 7, 4_007, 4_000, 60.0 - number) for number in range(20)],
    backfill=Backfill(3, 4, 12, 17.0),
    alerts=["connector_idle", "dead_letters"],
    stage="connector",
    catch_up=CatchUp(45_678, 1200.0, 38.0),
    restoring=[Restoring(number, 100, 2_000, 12.0) for number in range(3, 12)],
    filling=FillingState(2, 1_000, 250_000, 812.0),
    alerts_since={"connector_idle": NOW - timedelta(minutes=7), "dead_letters": None},
)


def text(found: Lag, width: int, sparkline: Sparkline | None = None, **options: object) -> str:
    """What a terminal of that width is sent."""
    out = StringIO()
    Console(file=out, width=width, height=24, highlight=False, **options).print(  # type: ignore[arg-type]
        shown(found, sparkline)
    )
    return out.getvalue()


@pytest.mark.parametrize("width", [24, 40, 60, 80, 200])
@pytest.mark.parametrize("found", [WELL, LATE], ids=["well", "late"])
def test_no_line_is_longer_than_the_terminal_is_wide(found: Lag, width: int) -> None:
    sparkline = Sparkline()
    for seconds in range(200):
        sparkline.add(replace(found, behind_seconds=None if seconds % 9 == 0 else float(seconds)))
    assert max(map(len, text(found, width, sparkline).splitlines())) <= width


def test_on_80_by_24_the_most_important_is_there_when_all_goes_wrong_at_once() -> None:
    top = "\n".join(text(LATE, 80, Sparkline()).splitlines()[:24])
    for expected in (
        "Not on time: 1,234.5 s behind, 45,678 records to decide.",
        "The connector does not run.",
        "connector: the connector is PAUSED. Run `x`",
        "worker: it is frozen. Let it go on",
        "123.5 MB of WAL",
        "Workers read their state: 900 of 18,000 records, 12 s left; partition 3, 4",
        "Catching up: 45,678 records to go, 1,200 fewer a second, 38 s left",
        "Newer versions of 3 rules are taken up in 4 of 12 partitions, 17 s left",
        "Generation 2 of the log is being filled: 1,000 of about 250,000 rows, 14 min left",
        "connector_idle for",
        "dead_letters: Input could not be used",
    ):
        assert expected.replace(" ", "") in top.replace("\n", "").replace(" ", ""), expected


def test_what_is_well_says_so_and_no_more() -> None:
    lines = text(WELL, 80).splitlines()
    assert lines[0] == "On time: 0.0 s behind, 0 records to decide."
    assert lines[1].startswith("stage")
    assert not any("alert" in line or "partition " in line for line in lines)


def test_the_bars_end_with_the_newest_and_reach_to_the_most() -> None:
    sparkline = Sparkline()
    for seconds in (0.0, 35.0, 70.0):
        sparkline.add(replace(WELL, behind_seconds=seconds))
    assert "seconds behind, up to 70: ▁▄█" in text(WELL, 80, sparkline)
    assert "up to 70: ▁▄█\n" in text(WELL, 29, sparkline)
    assert "up to 70: ▄█\n" in text(WELL, 28, sparkline)


def test_there_are_no_colours_where_nobody_wants_them(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "\x1b[1;31m" in text(LATE, 80, force_terminal=True, color_system="standard")
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[1;31m" not in text(LATE, 80, force_terminal=True, color_system="standard")


def test_one_measurement_is_one_line() -> None:
    assert (
        lag_words.line(WELL, NOW)
        == "2026-03-01 12:00:00 on time; 0.0 s behind, 0 records to decide"
    )
    late = lag_words.line(LATE, NOW)
    assert late.startswith(
        "2026-03-01 12:00:00 not on time; 1,234.5 s behind, 45,678 records to decide; "
        "the connector does not run; the connector is PAUSED. Run `x`; Workers read"
    )
    assert "\n" not in late


def test_why_it_is_not_on_time_has_words_whatever_it_is() -> None:
    assert set(lag_words._SHORT) == set(stages._GRAVEST)
    alone = replace(WELL, on_time=False, alerts=["slot_lost", "nobody_works"])
    assert lag_words.why(alone) == "open alerts: slot_lost, nobody_works"
    filling = replace(WELL, on_time=False, generation=GenerationState(3, "filling"))
    assert lag_words.why(filling) == "Generation 3 of the log is filling"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7200, "2 h"), (200_000, "2 d")],
)
def test_how_long_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert lag_words.duration(seconds) == said


def test_that_there_is_no_log_is_said_only_by_who_could_ask() -> None:
    none = replace(WELL, on_time=False, generation=None, stages=[], alerts=[])
    away = [Stage("slot", "unreachable", None, message="Postgres does not answer")]

    assert "There is no log" in text(none, 100)
    assert "There is no log" not in text(replace(none, stages=away, stage="slot"), 100)
