"""How often in a row looks at something have found the same: what does not last is not told."""

from collections.abc import Hashable


class Looks:
    """Looks, one after the other.

    Who tells what lasts tells it at every n-th look, not at the n-th alone: an alert is one while
    it is open, and somebody else may have closed it.
    """

    def __init__(self) -> None:
        self._last: Hashable = None
        self._times = 0

    def found(self, what: Hashable) -> int:
        """How often in a row that was found by now; nothing (None) is found no times."""
        self._times = self._times + 1 if what == self._last else 1
        self._last = what
        return self._times if what is not None else 0
