"""Time zones are the tzdata package's, whatever the operating system has."""

import os
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

ASK = """
import sys
from zoneinfo import ZoneInfo
ZoneInfo("Europe/Oslo")  # somebody was faster, with what the system has
from datetime import UTC, datetime
from tables.zones import zone
from reference.reference import _zone
from tables.rules import RuleBook
from tables.types import OrganizationVersion

version = OrganizationVersion("o", 1, datetime(2026, 1, 1, tzinfo=UTC), "Europe/Oslo")
book = RuleBook()
book.apply([version])
for found in (zone("Europe/Oslo"), book.zone("o"), _zone(version)):
    print(datetime(2026, 7, 1, tzinfo=UTC).astimezone(found).utcoffset())
print(zone("Made/Up"))
"""


def test_what_the_operating_system_has_does_not_count(tmp_path: Path) -> None:
    for name, source in (("Europe/Oslo", "Asia/Tokyo"), ("Made/Up", "Asia/Tokyo")):
        place = tmp_path / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(files("tzdata").joinpath("zoneinfo", *source.split("/")).read_bytes())
    answer = subprocess.run(
        [sys.executable, "-c", ASK],
        env={**os.environ, "PYTHONTZPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.splitlines() == ["2:00:00", "2:00:00", "2:00:00", "None"]
