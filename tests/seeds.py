"""How many seeds, or examples, a test at random takes: fewer in the inner loop, more in a hunt."""

import os

_ASKED = os.environ.get("BADGES_SEEDS")


def seeds(number: int) -> range:
    """So many, unless BADGES_SEEDS says how many every such test takes."""
    return range(int(_ASKED or number))
