"""The reference for histories too long to be evaluated from scratch after every event."""

from typing import Any

from reference.reference import Reference
from tables.types import Activity, Award, Day

MANY = 1000
"""Activities from which on a mentor is spared."""


class ThriftyReference(Reference):
    """A Reference that evaluates a long run of like events once, when it ends or is asked about.

    Two runs end in the same awards as if every event had been evaluated, their events aside:
    activities inserted in the order of their dates, for what becomes true meanwhile has the date
    that it will always have; and activities deleted, for that makes nothing true, and what it makes
    false stays so. Any other event ends the run and is evaluated at once.
    """

    def __init__(self, mentor_id: str) -> None:
        self._run = ""
        self._newest: Day = -(10**9)
        super().__init__(mentor_id)

    @property
    def awards(self) -> dict[str, Award]:
        """See `Reference.awards`; whoever asks ends the run."""
        self.end_run()
        return self._awards

    @awards.setter
    def awards(self, awards: dict[str, Award]) -> None:
        self._awards = awards

    def put(self, row: Any) -> None:
        if self._is_appended(row):
            self._go_on("appended")
            self.found(row)
            return
        self.end_run()
        super().put(row)

    def delete(self, kind: type, row_id: str) -> None:
        if issubclass(kind, Activity) and self._is_long:
            self._go_on("deleted")
            self.lost(kind, row_id)
            return
        self.end_run()
        super().delete(kind, row_id)

    def found(self, row: Any) -> None:
        if isinstance(row, Activity):
            self._newest = max(self._newest, row.activity_date)
        super().found(row)

    def end_run(self) -> None:
        """Evaluate what a run of events has come to."""
        if self._run:
            self._run = ""
            self.evaluate()

    def apply(self, versions: Any) -> None:
        self.end_run()
        super().apply(versions)

    @property
    def _is_long(self) -> bool:
        return len(self.rows[Activity]) >= MANY

    def _is_appended(self, row: Any) -> bool:
        """Whether it is a new activity, and none is newer."""
        if not isinstance(row, Activity) or row.id in self.rows[Activity] or not self._is_long:
            return False
        return row.activity_date >= self._newest

    def _go_on(self, run: str) -> None:
        if self._run != run:
            self.end_run()
            self._run = run
