"""How fast a number changes, by what was seen of it of late."""

from collections import deque


class Rate:
    """A number as it was seen in the last `span_s` seconds, by any clock's seconds."""

    def __init__(self, span_s: float, least_s: float) -> None:
        self._span_s = span_s
        self._least_s = least_s
        self._seen: deque[tuple[float, int]] = deque()

    def see(self, at: float, number: int) -> None:
        """Note what it is now."""
        self._seen.append((at, number))
        while at - self._seen[0][0] > self._span_s:
            self._seen.popleft()

    def forget(self) -> None:
        """Begin anew: what comes next is another number, or nobody saw how it changed."""
        self._seen.clear()

    @property
    def per_second(self) -> float | None:
        """How much it grows in a second; None until it was seen for `least_s` seconds."""
        if not self._seen:
            return None
        (began, before), (ended, number) = self._seen[0], self._seen[-1]
        took = ended - began
        return (number - before) / took if took >= self._least_s else None
