"""What is a time zone, and what is none."""

import pytest

from tables.zones import zone


@pytest.mark.parametrize("name", ["No/Where", "", "../etc/passwd", "Europe", "x" * 5_000, "\0"])
def test_what_is_no_zone_is_none(name: str) -> None:
    assert zone(name) is None
