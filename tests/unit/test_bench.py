"""The benchmark's table and the file that it writes."""

import json
from pathlib import Path

import pytest
from rich.console import Console

from bench.figures import Figure, Target, number, table, write

FAST = Figure("rate", 150_000, "events/s", "as fast as that", 300_000, Target(at_least=120_000))
SLOW = Figure("delay", 12.34, "ms", "slower than it should be", target=Target(at_most=10))
BARE = Figure("count", 3, "rows", "nobody asked for more")


def test_a_ratio_is_value_by_baseline() -> None:
    assert FAST.ratio == 0.5
    assert BARE.ratio is None


@pytest.mark.parametrize(
    ("target", "met"),
    [
        (Target(at_least=150_000), True),
        (Target(at_least=150_001), False),
        (Target(at_most=150_000), True),
        (Target(at_least=0.5, of_ratio=True), True),
        (Target(at_most=0.4, of_ratio=True), False),
        (None, None),
    ],
)
def test_a_target_is_of_the_value_or_of_the_ratio(target: Target | None, met: bool | None) -> None:
    figure = Figure("rate", 150_000, "events/s", "", 300_000, target)
    assert figure.met is met


def test_the_table_says_what_is_met() -> None:
    console = Console(width=160)
    with console.capture() as shown:
        console.print(table([FAST, SLOW, BARE]))
    lines = {line.split()[1]: line for line in shown.get().splitlines() if line.startswith("│")}
    assert "150,000" in lines["rate"]
    assert " met" in lines["rate"]
    assert "not met" in lines["delay"]
    assert "met" not in lines["count"]


def test_the_file_has_the_five_keys_of_every_figure(tmp_path: Path) -> None:
    path = tmp_path / "build" / "bench.json"
    write([FAST, BARE], path)
    assert json.loads(path.read_text()) == [
        {"name": "rate", "value": 150_000, "unit": "events/s", "baseline": 300_000, "ratio": 0.5},
        {"name": "count", "value": 3, "unit": "rows", "baseline": None, "ratio": None},
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [(None, ""), (0, "0"), (4.567, "4.57"), (12.34, "12.3"), (123456.7, "123,457"), (250, "250")],
)
def test_numbers_are_short(value: float | None, text: str) -> None:
    assert number(value) == text
