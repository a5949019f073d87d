"""Variables that look like a setting of ours but are not: one is misspelt, and not in force."""

import os
import sys
from collections.abc import Iterator
from contextlib import suppress
from difflib import get_close_matches

from badges.settings import Settings, from_file
from badges.stack import secrets
from badges.stack.layout import PORTS, LayoutSettings
from streams.errors import Problem

_PREFIX = "BADGES_"
_NEAR = 0.7
_OTHERS = (
    "API_URL",
    "CI",
    "CONNECT_DATABASE_HOSTNAME",
    "CONNECT_DATABASE_NAME",
    "CONNECT_DATABASE_PASSWORD",
    "CONNECT_DATABASE_PORT",
    "CONNECT_DATABASE_USER",
    "JARS_DIR",
    "MAVEN_REPOSITORY",
    "STACK_PART",
)
"""What is read elsewhere than in the settings: by Connect, by make, by the launcher."""


def warn() -> None:
    """Print a line on stderr for each variable that looks like a misspelt one of ours.

    The launcher has said it already where it starts other commands.
    """
    if f"{_PREFIX}STACK_PART" in os.environ:
        return
    for name, nearest in _misspelt():
        print(f"badges: warning: {name} is not a setting: is {nearest} meant?", file=sys.stderr)


def _misspelt() -> Iterator[tuple[str, str]]:
    """Each variable of the environment or the .env file that is misspelt, with the nearest of ours.

    What resembles no setting of ours is somebody else's, and left alone.
    """
    known = _known()
    for name in sorted({*os.environ, *_in_file()}):
        first, _, rest = name.upper().partition("_")
        if f"{first}_" == _PREFIX and rest in known:
            continue
        if get_close_matches(f"{first}_", [_PREFIX], 1, _NEAR):
            for nearest in get_close_matches(rest, known, 1, _NEAR):
                yield name, f"{_PREFIX}{nearest}"


def _in_file() -> set[str]:
    with suppress(Problem):  # a file that cannot be read is for the settings to tell
        return set(from_file())
    return set()


def _known() -> set[str]:
    fields = {*Settings.model_fields, *LayoutSettings.model_fields, *(f"{x}_port" for x in PORTS)}
    return {
        *(field.upper() for field in fields),
        *(name.removeprefix(_PREFIX) for name in secrets.NAMES),
        *_OTHERS,
    }
