"""An outage becomes an alert when it lasts, and the alert is closed when it is over."""

import asyncio
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import ClassVar

import pytest

from sinks.alerts import OUTAGES, AlertKind
from streams.errors import ConnectAway, LogBroken
from streams.log import connector_monitor, connector_progress
from streams.log.connect import Connect, ConnectorStatus
from streams.log.connector_monitor import (
    CONFIRMATIONS,
    FORGIVEN,
    SILENT_CONFIRMATIONS,
    SURE_CONFIRMATIONS,
    monitor_connector,
    outage,
)
from streams.log.connector_progress import BEGINS_S, SILENT_S, UNCONFIRMED_S, Moved, Movement
from streams.log.integrity import Integrity
from tests.builders import generation
from tests.serving import serving

GENERATION = generation()

RUNS = ConnectorStatus("RUNNING", ("RUNNING",))
FAILED = ConnectorStatus("RUNNING", ("FAILED",), "Caused by: no more disk")
IDLE = ConnectorStatus("UNASSIGNED", ())
STOPPED = ConnectorStatus("STOPPED", ())
AWAY = ConnectAway("refused")


class Told(Connect):
    """A Connect whose answers are written down beforehand; after the last one the test ends."""

    def __init__(self, *answers: ConnectorStatus | ConnectAway | None) -> None:
        super().__init__("http://127.0.0.1:9")
        self._answers = iter(answers)

    async def status(self, name: str) -> ConnectorStatus | None:
        assert name == GENERATION.connector
        try:
            answer = next(self._answers)
        except StopIteration:
            raise asyncio.CancelledError from None
        if isinstance(answer, ConnectAway):
            raise answer
        return answer


class Heard:
    """Alerts in a list."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    async def raise_alert(
        self, kind: AlertKind, detail: Mapping[str, object], *, subject: str = ""
    ) -> None:
        assert detail["message"]
        self.calls.append(f"raise {kind}{subject}")

    async def resolve(self, kind: AlertKind, *, subject: str = "") -> None:
        self.calls.append(f"resolve {kind}{subject}")

    async def opened(self, kind: AlertKind) -> Mapping[str, Mapping[str, object]]:
        raise AssertionError(f"nobody asks for {kind}")


class Renamed(Integrity):
    """An integrity that knows of which tables a column had another name."""

    def __init__(self, tables: Sequence[str], calls: list[str]) -> None:
        self._tables = tables
        self._calls = calls

    async def ever_renamed(self, column: str) -> list[str]:
        assert column == "peer_mentor_id"
        return list(self._tables)

    async def mark_broken(self, found: LogBroken) -> bool:
        self._calls.append(f"mark broken {found.kind}: {found}")
        return True


def _heard(
    monkeypatch: pytest.MonkeyPatch,
    answers: Sequence[ConnectorStatus | ConnectAway | None],
    renamed: Sequence[str] = (),
    positions: Sequence[Moved] = (),
) -> list[str]:
    """What is told after these answers of Connect, and, while it runs, after these positions."""
    monkeypatch.setattr(connector_monitor, "LOOK_EVERY_S", 0)
    heard = Heard()
    seen = iter(positions)

    async def moved() -> Moved:
        for each in seen:
            return each
        raise TimeoutError

    async def test() -> None:
        connect = Told(*answers)
        integrity = Renamed(renamed, heard.calls)
        with pytest.raises(asyncio.CancelledError):
            await monitor_connector(GENERATION, connect, heard, integrity, moved)
        await connect.close()

    asyncio.run(test())
    return heard.calls


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (RUNS, None),
        (None, "connector_missing"),
        (FAILED, "connector_failed"),
        (ConnectorStatus("FAILED", ()), "connector_failed"),
        (ConnectorStatus("RUNNING", ()), "connector_idle"),
        (ConnectorStatus("PAUSED", ("PAUSED",)), "connector_idle"),
    ],
)
def test_a_state_is_an_outage_of_its_kind(status: ConnectorStatus | None, kind: str | None) -> None:
    async def ask() -> str | None:
        connect = Told(status)
        found = await outage(GENERATION, connect)
        await connect.close()
        return found.kind if found else None

    assert asyncio.run(ask()) == kind


@pytest.mark.parametrize(
    ("status", "looks"),
    [
        (AWAY, CONFIRMATIONS),
        (None, CONFIRMATIONS),
        (IDLE, CONFIRMATIONS),
        (FAILED, SURE_CONFIRMATIONS),
        (STOPPED, SURE_CONFIRMATIONS),
    ],
)
def test_a_short_outage_is_told_nobody(
    monkeypatch: pytest.MonkeyPatch, status: ConnectorStatus | ConnectAway | None, looks: int
) -> None:
    short = [*[status] * (looks - 1), *[RUNS] * FORGIVEN]
    long = [*[status] * looks, *[RUNS] * FORGIVEN]

    calls = _heard(monkeypatch, short * 3)
    assert not [call for call in calls if call.startswith("raise")]

    calls = _heard(monkeypatch, [*short, *long])
    assert len([call for call in calls if call.startswith("raise")]) == 1


def test_one_that_lasts_is_told_once_and_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = _heard(monkeypatch, [*[FAILED] * (SURE_CONFIRMATIONS + 3), *[RUNS] * FORGIVEN])

    assert calls[-2:] == ["raise connector_failed", "resolve connector_failed"]
    assert sorted(calls[:-2]) == sorted(
        f"resolve {kind}" for kind in OUTAGES if kind != "connector_failed"
    )


@pytest.mark.parametrize(
    "round_",
    [(AWAY, AWAY, IDLE, IDLE, IDLE), (AWAY, RUNS, RUNS), (AWAY, FAILED, RUNS, IDLE)],
)
def test_a_connect_that_crashes_again_and_again_is_told_once(
    monkeypatch: pytest.MonkeyPatch, round_: tuple[ConnectorStatus | ConnectAway, ...]
) -> None:
    calls = _heard(monkeypatch, [*round_ * 30, *[RUNS] * FORGIVEN])

    told = next(number for number, call in enumerate(calls) if call.startswith("raise"))
    # Told again, for somebody may have closed it, but closed at the end alone.
    again = set(calls[told:-1])
    assert again == {calls[told]}
    assert calls[-1] == calls[told].replace("raise", "resolve")


def test_an_outage_that_becomes_another_one_is_told_as_that(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    calls = _heard(monkeypatch, [*[AWAY] * CONFIRMATIONS, *[FAILED] * CONFIRMATIONS])

    assert calls[-3:] == ["raise connect_away", "resolve connect_away", "raise connector_failed"]


def test_one_that_goes_on_is_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another worker, or a person, may have closed it: while it is open that does nothing."""
    calls = _heard(monkeypatch, [FAILED] * (3 * CONFIRMATIONS))

    assert calls.count("raise connector_failed") == 4


def test_an_alert_of_an_earlier_process_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "resolve connector_failed" in _heard(monkeypatch, [RUNS])


def _standstills(*seen: tuple[float, Moved]) -> list[str]:
    """The beginning of what is said at each look: when it was, and how far the connector is."""
    times = iter([at for at, _ in seen])
    movement = Movement(lambda: next(times))
    return [(movement.standstill(now) or "").partition(",")[0] for _, now in seen]


def test_a_connector_whose_heartbeats_end_is_silent_until_they_come_again() -> None:
    still = Moved(log=7, heartbeats=30, confirmed=900)
    beats = Moved(log=7, heartbeats=31, confirmed=900)

    before = Moved(log=7, heartbeats=29, confirmed=900)
    seen = [(-1, before), (0, still), (SILENT_S - 1, still), (SILENT_S, still), (SILENT_S, beats)]

    assert _standstills(*seen) == ["", "", "", "sends nothing", ""]


def test_one_that_was_away_may_take_longer_to_its_first_heartbeat() -> None:
    first, second = (Moved(log=7, heartbeats=number, confirmed=900) for number in (30, 31))
    now = 0.0
    movement = Movement(lambda: now)

    def said(seconds: float, moved: Moved) -> bool:
        nonlocal now
        now += seconds
        return movement.standstill(moved) is not None

    assert [said(0, first), said(BEGINS_S - 1, first), said(1, first)] == [False, False, True]
    assert [said(0, second), said(SILENT_S, second)] == [False, True]
    movement.begin_again()
    assert [said(0, second), said(BEGINS_S - 1, second), said(1, second)] == [False, False, True]


def test_a_silence_has_lasted_before_it_is_seen_so_few_looks_tell_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # Whatever is as it was at the look before has been silent for long enough.
    monkeypatch.setattr(connector_progress, "SILENT_S", 1e-9)
    monkeypatch.setattr(connector_progress, "BEGINS_S", 1e-9)
    beats = [Moved(log=7, heartbeats=number, confirmed=900) for number in range(FORGIVEN + 1)]

    def told(silent: int) -> int:
        positions = [*beats, *[beats[-1]] * silent]
        calls = _heard(monkeypatch, [RUNS] * len(positions), positions=positions)
        return calls.count("raise connector_idle")

    assert [told(SILENT_CONFIRMATIONS - 1), told(SILENT_CONFIRMATIONS)] == [0, 1]


@pytest.mark.parametrize(
    ("log", "confirmed", "said"),
    [(7, 900, "sends heartbeats but no row"), (8, 900, ""), (7, 901, "")],
)
def test_heartbeats_alone_are_no_movement_for_ever(log: int, confirmed: int, said: str) -> None:
    steps = [10.0 * number for number in range(int(UNCONFIRMED_S // 10) + 1)]
    seen = [(at, Moved(7, int(at), 900)) for at in steps[:-1]]

    assert _standstills(*seen, (steps[-1], Moved(log, 1_000, confirmed)))[-1] == said


def test_for_how_long_no_row_came_counts_on_after_looks_that_failed() -> None:
    now, beats = 0.0, 0
    movement = Movement(lambda: now)

    def seconds_without_a_row(pause: float) -> float:
        nonlocal now, beats
        now, beats = now + pause, beats + 1
        return movement.look(Moved(7, beats, 900))[1]

    assert [seconds_without_a_row(pause) for pause in (0, 60, 60)] == [0, 60, 120]
    movement.not_seen()
    assert [seconds_without_a_row(pause) for pause in (1000, 30)] == [120, 150]
    movement.begin_again()
    assert [seconds_without_a_row(pause) for pause in (1, 30)] == [0, 30]


@pytest.mark.parametrize(
    ("column", "table"),
    [
        ("id", "peer_mentors"),
        ("peer_mentor_id", "one of the tables of a mentor's rows"),
        ("peer_mentor_id", "activities"),
        ("peer_mentor_id", "activities or mentor_pauses"),
    ],
)
def test_a_row_that_can_never_be_sent_is_a_break_and_no_outage(
    monkeypatch: pytest.MonkeyPatch, column: str, table: str
) -> None:
    trace = f"Tolerance exceeded\nCaused by: java.lang.X: Unknown field: {column}\n\tat Y"
    keyless = ConnectorStatus("RUNNING", ("FAILED",), trace)

    tables = [] if table.startswith("one of") else table.split(" or ")
    calls = _heard(monkeypatch, [keyless] * (CONFIRMATIONS + 1), tables)

    assert not [call for call in calls if call.startswith("raise")]
    marked = [call for call in calls if call.startswith("mark broken")]
    assert marked[0].startswith(
        f"mark broken column_missing: a row of {table} without its column {column},"
    )


class Page(BaseHTTPRequestHandler):
    """What is no Kafka Connect: a page to log in at, or JSON about something else."""

    answers: ClassVar = {"/html": b"<html>Log in</html>", "/json": b'{"connector": "yes"}'}

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.answers[self.path[:5]])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.mark.parametrize("path", list(Page.answers))
def test_what_is_no_kafka_connect_is_an_outage_of_it(path: str) -> None:
    async def test(url: str) -> None:
        async with Connect(url + path) as connect:
            found = await outage(GENERATION, connect)
            with pytest.raises(ConnectAway, match="not Kafka Connect"):
                await connect.offsets("any")
        assert found is not None
        assert found.kind == "connect_away"
        assert "is not Kafka Connect" in found.message

    with serving(HTTPServer(("127.0.0.1", 0), Page)) as address:
        asyncio.run(test(f"http://{address}"))
