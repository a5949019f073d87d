"""Where things are measured: a real stack in a temporary folder, ended with the run."""

from contextlib import ExitStack
from functools import cached_property
from types import TracebackType
from typing import Self
from unittest.mock import patch

from bench.api import Api, serving
from tests import own_site
from tests.stack import Stack, running_postgres


class Bench:
    """What a section is given: a stack, started when first asked for, and how big to measure."""

    def __init__(self, *, quick: bool) -> None:
        self.quick = quick
        self._resources = ExitStack()
        # What is measured is the connector as it is, which tests let look for rows less often.
        self._resources.enter_context(patch.dict(own_site.RARELY, clear=True))

    @cached_property
    def postgres(self) -> Stack:
        """A Postgres that runs; the other parts need not."""
        return self._resources.enter_context(running_postgres(in_containers=False))

    @cached_property
    def kafka_bootstrap(self) -> str:
        """The address of a Kafka that runs; Connect need not."""
        self.postgres.start("kafka")
        return self.postgres.kafka_bootstrap

    @cached_property
    def stack(self) -> Stack:
        """Postgres, Kafka and Connect on free ports, nothing of which is left at the end."""
        self.postgres.start()
        return self.postgres

    @cached_property
    def api(self) -> Api:
        """The API over a database of many activities, which needs Postgres alone."""
        return self._resources.enter_context(serving(self.postgres))

    def size(self, whole: int, quick: int) -> int:
        """The size to measure with."""
        return quick if self.quick else whole

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._resources.__exit__(kind, error, trace)
