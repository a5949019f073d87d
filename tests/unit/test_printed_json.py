"""What commands print for programs."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from badges.cli.options import print_json

AT = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Row:
    name: str
    at: datetime


class Told(msgspec.Struct, frozen=True):
    at: datetime
    numbers: tuple[int, ...] = ()


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ([Row("a", AT)], [{"name": "a", "at": "2026-03-01 12:30:00+00:00"}]),
        (Told(AT, (1, 2)), {"at": "2026-03-01T12:30:00Z", "numbers": [1, 2]}),
        ({"path": Path("a/b"), "told": [Told(AT)]}, {
            "path": "a/b", "told": [{"at": "2026-03-01T12:30:00Z", "numbers": []}],
        }),
        ({"key": "half \udc80"}, {"key": "half \udc80"}),
    ],
)  # fmt: skip
def test_a_result_is_a_line_of_json(
    result: object, expected: object, capfd: pytest.CaptureFixture[str]
) -> None:
    print_json(result)
    printed = capfd.readouterr().out
    assert printed.endswith("\n")
    assert printed.count("\n") == 1
    assert json.loads(printed) == expected


def test_people_may_read_it_too(capfd: pytest.CaptureFixture[str]) -> None:
    print_json({"name": "på vakt"}, indent=2)
    assert capfd.readouterr().out == '{\n  "name": "på vakt"\n}\n'
