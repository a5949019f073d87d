"""The rules of a race and where they are in effect, without a database."""

import asyncio

from bench.definitions import versions
from bench.topic import Filled
from streams.log.generations import Generation
from streams.rule_versions import PostgresVersions, Versions
from tables.types import AppliedVersion, rule_key


class FixedVersions(PostgresVersions):
    """The twenty definitions, as if they had been read from Postgres."""

    def __init__(self) -> None:
        Versions.__init__(self)
        self.stamp = 0
        for version in versions():
            self.keep(version)

    async def refresh(self) -> None:
        """Nothing new is ever saved."""

    async def follow(self) -> None:
        """Wait for good."""
        await asyncio.Event().wait()

    async def wait_newer(self, stamp: int) -> int:
        """Wait for good."""
        await asyncio.Event().wait()
        return stamp


def applied(partition: int) -> list[AppliedVersion]:
    """What the first turn applies."""
    return [
        AppliedVersion(partition, 0, 0, *rule_key(version), version.version)
        for version in versions()
    ]


def generation(filled: Filled) -> Generation:
    """The topic as a live generation of the log, every record of which is an event."""
    return Generation(
        log_id=filled.log_id,
        number=1,
        topic=filled.topic,
        slot="",
        connector=f"race-{filled.topic}-mentor-log-1",
        partitions=len(filled.ends),
        system_identifier="",
        timeline=1,
        state="live",
        starts=(0,) * len(filled.ends),
    )
