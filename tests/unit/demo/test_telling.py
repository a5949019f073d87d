"""What is counted, and how it is shown."""

import io
from datetime import datetime
from pathlib import Path
from uuid import UUID

import pytest
from rich.console import Console

from badges.demo import catalogue
from badges.demo.feed import SeenUnlock
from badges.demo.screen import Screen, draw, histogram
from badges.demo.tally import Tally, percentile
from badges.demo.telling import Directory, Lines, ToldUnlock
from badges.demo.world import DemoPerson, Kind, Moment, World, definition_id

ADA = DemoPerson(UUID(int=1), "demo-nordlys", "Ada B.")
CATALOGUE = catalogue.load()
BADGE = str(definition_id(None, "visitor"))
AT = datetime(2026, 11, 24, 12, 0, 0, 123000)


def moment(kind: Kind = "new", person: DemoPerson | None = ADA, subject: str = "") -> Moment:
    return Moment(kind, person, "a visit, 45 minutes", [[]], subject=subject)


def unlock(seen: float, source: str = "stream", kind: str = "granted") -> SeenUnlock:
    return SeenUnlock(str(ADA.id), BADGE, kind, "bronze", source, seen)


def directory() -> Directory:
    return Directory(World(CATALOGUE.organizations, CATALOGUE.badges, mentors=[ADA]))


@pytest.mark.parametrize(("share", "value"), [(0.5, 5), (0.95, 10), (0.99, 10), (0.1, 1)])
def test_a_percentile_is_a_value_that_was_measured(share: float, value: float) -> None:
    assert percentile(list(range(1, 11)), share) == value


def test_latency_is_the_time_since_the_mentors_last_save() -> None:
    tally = Tally()
    tally.save(moment(), 10.0)
    tally.save(moment(), 11.0)

    assert tally.unlock(unlock(11.025)) == pytest.approx(25)
    assert tally.latencies == [tally.latency(0.5)] == [1000 * (11.025 - 11.0)]
    assert (tally.saves, tally.unlocks.total()) == (2, 1)


def test_what_people_give_and_what_a_new_badge_reaches_is_no_latency() -> None:
    tally = Tally()
    tally.save(moment("by hand"), 10.0)
    tally.save(moment("new badge", None, "Familiar face"), 20.0)

    assert tally.unlock(unlock(10.1, "admin")) is None
    assert tally.unlock(unlock(20.5, "replay")) is None
    assert not tally.latencies
    assert (tally.switched_on, tally.reached) == ("Familiar face", [500])


def test_an_unlock_is_told_in_words_and_strangers_are_not_told_of() -> None:
    line = directory().describe(unlock(1, kind="promoted"), 24.4, AT)

    assert line is not None
    assert (line.who, line.verb, line.title) == ("Ada B.", "rose to", "Visitor, bronze")
    stranger = SeenUnlock(str(UUID(int=9)), BADGE, "granted", None, "stream", 1)
    assert directory().describe(stranger, None, AT) is None


def test_a_name_that_was_learnt_is_used_and_an_unknown_id_stays() -> None:
    names = directory()
    names.names["7"] = "Grace"

    assert names.named("7") == "Grace (7)"
    assert names.named("8") == "8"
    assert names.named(BADGE) == f"Visitor ({BADGE})"


def line(source: str = "stream", latency: float | None = 24.4) -> ToldUnlock:
    return ToldUnlock(AT, "🏡", "Ada B.", "earned", "Visitor", "Visitor, bronze", source, latency)


def test_lines_say_who_what_and_how_fast() -> None:
    said: list[str] = []
    lines = Lines(said.append)
    lines.note("loading")
    lines.moment(moment("late"), "Nordlys")
    lines.unlock(line())

    assert said[0] == "loading"
    assert said[1].endswith("  late         Ada B. (Nordlys): a visit, 45 minutes")
    assert said[2] == "12:00:00.123               🏡 Ada B. earned Visitor, bronze  +24 ms"


def shown(screen: Screen, width: int = 120, height: int = 30) -> str:
    console = Console(record=True, width=width, height=height, file=io.StringIO())
    console.print(screen.render())
    return console.export_text()


def test_the_screen_has_saves_on_the_left_and_unlocks_on_the_right() -> None:
    screen = Screen(Console(width=120, height=30, quiet=True), "Badge streams")
    tally = Tally()
    tally.save(moment(), 10.0)
    tally.unlock(unlock(10.024))
    screen.note("now watch")
    screen.moment(moment("late"), "Nordlys")
    screen.unlock(line())
    screen.unlock(line("replay", None))
    screen.unlock(line("replay", None))
    screen.figures(tally)

    text = shown(screen)

    assert "now watch" in text
    assert "late: a visit, 45 minutes, Nordlys" in text
    assert "Ada B. earned Visitor, bronze  24 ms" in text
    assert "2 mentors earned Visitor, bronze  new badge" in text
    assert "24 ms" in text
    assert max(map(len, text.splitlines())) <= 120


def test_a_histogram_has_the_highest_bar_where_most_is() -> None:
    bars = histogram([12, 12, 13, 14, 300])

    assert bars[1] == "█"
    assert bars[-1] == "▂"
    assert set(histogram([])) == {" "}


def test_the_picture_needs_nothing_from_elsewhere(tmp_path: Path) -> None:
    screen = Screen(Console(width=120, height=30, quiet=True), "Badge streams")
    screen.unlock(line())

    draw(screen.render(), tmp_path / "demo.svg")

    svg = (tmp_path / "demo.svg").read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "Ada" in svg
    assert "url(http" not in svg
    assert "Fira" not in svg
