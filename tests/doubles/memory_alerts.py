"""Alerts in a list; `sinks.alerts.Alerts`."""

from collections.abc import Mapping
from datetime import UTC, datetime

from msgspec import Struct

from sinks.alerts import AlertKind


class MemoryAlert(Struct):
    """An alert that MemoryAlerts holds; it is open while `resolved_at` is None."""

    kind: AlertKind
    subject: str
    detail: Mapping[str, object]
    at: datetime
    resolved_at: datetime | None = None


class MemoryAlerts:
    """At most one alert of a kind and subject is open; all of them are there to be read."""

    def __init__(self) -> None:
        self.alerts: list[MemoryAlert] = []

    async def raise_alert(
        self, kind: AlertKind, detail: Mapping[str, object], *, subject: str = ""
    ) -> None:
        """Open an alert; does nothing while one of that kind and subject is open."""
        if self._open(kind, subject) is None:
            self.alerts.append(MemoryAlert(kind, subject, detail, datetime.now(UTC)))

    async def resolve(self, kind: AlertKind, *, subject: str = "") -> None:
        """Close the open alert of that kind and subject, if there is one."""
        alert = self._open(kind, subject)
        if alert is not None:
            alert.resolved_at = datetime.now(UTC)

    async def opened(self, kind: AlertKind) -> Mapping[str, Mapping[str, object]]:
        """The detail of each open alert of a kind, by subject."""
        return {
            alert.subject: {**alert.detail, **({"subject": alert.subject} if alert.subject else {})}
            for alert in self.alerts
            if alert.kind == kind and alert.resolved_at is None
        }

    def _open(self, kind: AlertKind, subject: str) -> MemoryAlert | None:
        same = (a for a in self.alerts if (a.kind, a.subject) == (kind, subject))
        return next((alert for alert in same if alert.resolved_at is None), None)
