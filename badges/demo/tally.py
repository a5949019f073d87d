"""Counting what is played and unlocked, and the time in between.

Commit-to-award latency is measured in this one process, by its monotonic clock: from the moment in
which COMMIT of the save that caused it had returned here, until this process saw the award's event
in Postgres, where it becomes visible together with the award. It looks every few milliseconds, so a
figure is too high by some of them. The save is the mentor's last one before the unlock; the script
leaves a mentor alone for a quarter of a second at least before it saves something again. Badges
given by hand have no latency, and those of a definition that was just saved count apart.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from badges.demo.feed import SeenUnlock
from badges.demo.world import Moment


@dataclass
class Tally:
    """What has happened so far; latencies in milliseconds."""

    moments: Counter[str] = field(default_factory=Counter)
    saves: int = 0
    unlocks: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)
    reached: list[float] = field(default_factory=list)
    """When each mentor had the badge that was switched on, since it was."""
    switched_on: str | None = None
    _saved: dict[str, float] = field(default_factory=dict)
    _switched_on_at: float = 0.0

    def save(self, moment: Moment, committed: float) -> None:
        """A moment was saved; `committed` in seconds of the monotonic clock."""
        self.moments[moment.kind] += 1
        self.saves += len(moment.transactions)
        if moment.person is None:
            self.switched_on = moment.subject
            self._switched_on_at = committed
        elif moment.kind != "by hand":
            self._saved[str(moment.person.id)] = committed

    def unlock(self, unlock: SeenUnlock) -> float | None:
        """An unlock was seen. Its latency in milliseconds, if there is a save that caused it."""
        self.unlocks[unlock.kind] += 1
        if unlock.source == "stream" and unlock.peer_mentor_id in self._saved:
            latency = 1000 * (unlock.seen - self._saved[unlock.peer_mentor_id])
            self.latencies.append(latency)
            return latency
        if unlock.source == "replay" and self.switched_on is not None:
            self.reached.append(1000 * (unlock.seen - self._switched_on_at))
        return None

    def latency(self, share: float) -> float:
        """A percentile of what was measured, if something was."""
        return percentile(sorted(self.latencies), share)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ascending values: one that was really measured."""
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(rank, 1) - 1]
