"""What is looked at again and again: how often in a row it was found, and the alerts of it."""

import asyncio
from collections.abc import Callable, Hashable, Mapping

from sinks.alerts import AlertKind, Alerts

CLOSE_AGAIN_S = 600.0
"""So long a process may have left an alert open that is gone, and whose looks another one makes.

Sooner, two of which only one finds something would open and close it all the time."""


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


class OneAlert:
    """The alert that whoever looks has open: of some kinds one at most.

    At first each may be open, for an earlier process may have left it so; and later again, for
    another one may have opened it and gone.
    """

    def __init__(self, alerts: Alerts, *kinds: AlertKind, subject: str = "") -> None:
        self._alerts = alerts
        self._subject = subject
        self._kinds = frozenset(kinds)
        self._open = {*kinds}
        self._sure_until = float("inf")
        self.told: AlertKind | None = None
        """The kind that was opened here and is not over."""

    async def open(self, kind: AlertKind, detail: Mapping[str, object]) -> None:
        """Open an alert of this kind instead of what is open; one of the kind stays as it is.

        Told again and again, it is open also where somebody else has closed it.
        """
        await self.close(but=kind)
        await self._alerts.raise_alert(kind, detail, subject=self._subject)
        self._open = {kind}
        self.told = kind

    async def close(self, *, but: AlertKind | None = None) -> None:
        now = asyncio.get_running_loop().time()
        if now >= self._sure_until:
            self._open |= self._kinds
        if self._open - {but}:
            self._sure_until = now + CLOSE_AGAIN_S
        for kind in sorted(self._open - {but}):
            await self._alerts.resolve(kind, subject=self._subject)
        self._open &= {but}
        if self.told != but:
            self.told = None


def _message(detail: Mapping[str, object]) -> object:
    return detail.get("message")


async def tell_found(
    alerts: Alerts,
    kind: AlertKind,
    opened: Mapping[str, Mapping[str, object]],
    found: Mapping[str, Mapping[str, object]],
    words: Callable[[Mapping[str, object]], object] = _message,
) -> None:
    """Open an alert for each subject that was found, and close those of what was not.

    `opened` are the alerts of the kind that were open before anything was looked for. One whose
    `words` are others by now is closed, and told anew.
    """
    for subject, detail in opened.items():
        if subject not in found or words(found[subject]) != words(detail):
            await alerts.resolve(kind, subject=subject)
    for subject, detail in found.items():
        if subject not in opened or words(detail) != words(opened[subject]):
            await alerts.raise_alert(kind, detail, subject=subject)
