"""The whole worker as another contender runs it, but with metrics that nobody hears."""

from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client.metrics import MetricWrapperBase

from bench.contenders.race import contend
from bench.contenders.worker import race
from streams import metrics


class Silent:
    """Takes what a metric is told, and does nothing with it."""

    def labels(self, *_: object) -> "Silent":
        return self

    def inc(self, _: float = 1) -> None:
        """Count nothing."""

    def set(self, _: float) -> None:
        """Keep nothing."""

    def observe(self, _: float) -> None:
        """Sort nothing into buckets."""

    def remove(self, *_: object) -> None:
        """Forget nothing."""

    @contextmanager
    def time(self) -> Iterator[None]:
        """Take no time."""
        yield

    track_inprogress = time


def silence() -> None:
    """Put a silent one in the place of each metric that a worker has."""
    for name, metric in list(vars(metrics).items()):
        if isinstance(metric, MetricWrapperBase):
            setattr(metrics, name, Silent())


if __name__ == "__main__":
    silence()
    contend(race)
