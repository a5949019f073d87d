"""Time zones: those of the locked tzdata package alone, so that every host dates alike."""

import zoneinfo
from collections.abc import Sequence
from datetime import UTC, datetime, tzinfo
from functools import cache

# What the operating system has may be older or newer, and would decide before the package.
zoneinfo.reset_tzpath(())
zoneinfo.ZoneInfo.clear_cache()

FIRST_YEAR, LAST_YEAR = 1970, 2037

SAMPLES: Sequence[datetime] = tuple(
    datetime(year, month, 1, 12, tzinfo=UTC)
    for year in range(FIRST_YEAR, LAST_YEAR + 1)
    for month in range(1, 13)
)
"""Noon (UTC) of the first of each month: at these two sets of time zone data are compared."""


def zone(name: str) -> tzinfo | None:
    """The time zone of that IANA name, or None where the package has none."""
    try:
        return zoneinfo.ZoneInfo(name)
    except (OSError, ValueError, LookupError):
        return None


@cache
def offsets(name: str) -> Sequence[int] | None:
    """The zone's offset from UTC in seconds at each of SAMPLES; None where there is none."""
    found = zone(name)
    if found is None:
        return None
    return tuple(_seconds(moment.astimezone(found)) for moment in SAMPLES)


def _seconds(local: datetime) -> int:
    offset = local.utcoffset()
    return round(offset.total_seconds()) if offset else 0
