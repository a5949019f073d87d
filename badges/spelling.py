"""Variables that look like a setting of ours but are not: one is misspelt, and not in force."""

import os
import sys
from collections.abc import Collection, Iterator
from contextlib import suppress
from difflib import get_close_matches

from badges.settings import Settings, from_file
from streams.errors import Failure

_PREFIX = "BADGES_"
_NEAR = 0.7


def warn(others: Collection[str]) -> None:
    """Print a line on stderr for each variable that looks like a misspelt one of ours.

    `others` are the variables that are read elsewhere than in the settings. The launcher has said
    it already where it starts other commands.
    """
    if f"{_PREFIX}STACK_PART" in os.environ:
        return
    for name, nearest in misspelt(others):
        print(f"badges: warning: {name} is not a setting: is {nearest} meant?", file=sys.stderr)


def misspelt(others: Collection[str]) -> Iterator[tuple[str, str]]:
    """Each variable of the environment or the .env file that is misspelt, with the nearest of ours.

    `others` are as above. What resembles no setting of ours is somebody else's, and left alone.
    """
    fields = {field.upper() for field in Settings.model_fields}
    known = {*fields, *(name.removeprefix(_PREFIX) for name in others)}
    for name in sorted({*os.environ, *_in_file()}):
        first, _, rest = name.upper().partition("_")
        if f"{first}_" == _PREFIX and rest in known:
            continue
        if get_close_matches(f"{first}_", [_PREFIX], 1, _NEAR):
            for nearest in get_close_matches(rest, known, 1, _NEAR):
                yield name, f"{_PREFIX}{nearest}"


def _in_file() -> set[str]:
    with suppress(Failure):  # a file that cannot be read is for the settings to tell
        return set(from_file())
    return set()
