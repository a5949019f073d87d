"""Versions of definitions and time zones: kept as they were saved, and read from Postgres."""

import asyncio
from collections.abc import Iterable, Mapping
from types import MappingProxyType

import structlog

from sinks.alerts import Alerts
from sinks.errors import Disconnected, StoreError
from sinks.failures import translated
from sinks.listening import at_each_notify
from sinks.pool import Executor, Pool
from sinks.refused_writes import Stall
from tables.types import (
    Applied,
    AppliedVersion,
    DefinitionVersion,
    OrganizationVersion,
    Version,
    rule_key,
)

_CHANNEL = "badges_rules"
_AGAIN_SECONDS = 1.0
_SUBJECT = "rules"
"""The subject of the alert that new versions cannot be read."""
_NONE_KNOWN: Mapping[str, int] = MappingProxyType({})
"""No version is known of any id."""

log = structlog.get_logger(__name__)

_DEFINITIONS = """
select v.id::text, v.version, v.saved_at, v.deleted, v.organization_id::text, v.key,
       v.criteria::text, v.revocable, v.status,
       -- Python's dates end in the year 9999, those of Postgres do not.
       case when isfinite(v.counts_from) then v.counts_from - date '1970-01-01'
            when v.counts_from > date '1970-01-01' then 2147483647
            when v.counts_from < date '1970-01-01' then -2147483648 end as counts_from
from badge_definition_versions v
left join unnest($1::uuid[], $2::int[]) known (id, version) using (id)
where v.version > coalesce(known.version, 0)
order by v.id, v.version
"""
_ORGANIZATIONS = """
select v.id::text, v.version, v.saved_at, v.timezone
from organization_versions v
left join unnest($1::uuid[], $2::int[]) known (id, version) using (id)
where v.version > coalesce(known.version, 0)
order by v.id, v.version
"""


async def read(
    connection: Executor,
    definitions: Mapping[str, int] = _NONE_KNOWN,
    organizations: Mapping[str, int] = _NONE_KNOWN,
) -> list[Version]:
    """The versions above those that are known of each id, versions of an id ascending."""
    # In this order a definition never comes without the time zone that was saved before it.
    later = await connection.fetch(_DEFINITIONS, list(definitions), list(definitions.values()))
    zones = await connection.fetch(
        _ORGANIZATIONS, list(organizations), list(organizations.values())
    )
    return [
        *(OrganizationVersion(**row) for row in zones),
        *(DefinitionVersion(**row) for row in later),
    ]


class Versions:
    """Every version ever saved, by id, ascending."""

    def __init__(self) -> None:
        self._versions: dict[tuple[str, str], list[Version]] = {}

    async def refresh(self) -> None:
        """Read what is new, where there is somewhere to read from. Raises Unavailable."""

    def keep(self, version: Version) -> None:
        """Add a version, unless it is known. Within an id they must come in order."""
        versions = self._versions.setdefault(rule_key(version), [])
        if not versions or version.version > versions[-1].version:
            versions.append(version)

    def newer_than(self, applied: Applied) -> list[Version]:
        """Every version above the one in effect of its id, versions of an id ascending."""
        return [
            version
            for key, versions in self._versions.items()
            if versions[-1].version > applied.get(key, 0)
            for version in versions
            if version.version > applied.get(key, 0)
        ]

    def up_to(self, recorded: Iterable[AppliedVersion], applied: Applied) -> list[Version]:
        # One that was replaced before anybody applied it has no record of its own, but counts:
        # a deletion in between, say.
        return [
            version
            for last in recorded
            for version in self._versions[last.key]
            if applied.get(last.key, 0) < version.version <= last.version
        ]

    def newest(self, kind: str) -> dict[str, int]:
        return {key[1]: last[-1].version for key, last in self._versions.items() if key[0] == kind}


class PostgresVersions(Versions):
    """The versions in Postgres. Saves lock the row, so an id's become visible in order."""

    def __init__(self, pool: Pool, alerts: Alerts) -> None:
        super().__init__()
        self._pool = pool
        self._stall = Stall(
            _SUBJECT, "nothing new of definitions and time zones is applied", alerts
        )
        self._changed = asyncio.Condition()
        self.stamp = 0
        """Grows whenever something new was read."""

    async def refresh(self) -> None:
        with translated():
            new = await read(self._pool, self.newest("definition"), self.newest("organization"))
        for version in new:
            self.keep(version)
        if new:
            self.stamp += 1
            async with self._changed:
                self._changed.notify_all()

    async def wait_newer(self, stamp: int) -> int:
        async with self._changed:
            await self._changed.wait_for(lambda: self.stamp != stamp)
        return self.stamp

    async def follow(self) -> None:
        """Refresh on every NOTIFY, and each second in case one was lost; never returns.

        An alert tells when Postgres answers and that goes on failing: it is told elsewhere when
        Postgres is away.
        """
        while True:
            try:
                await at_each_notify(self._pool, _CHANNEL, self._refreshed)
            except StoreError as error:
                log.warning("rule versions cannot be read, asking again", error=str(error))
                pause = _AGAIN_SECONDS
                if not isinstance(error, Disconnected):
                    now = asyncio.get_running_loop().time()
                    pause = await self._stall.failed(error, now, pause)
                await asyncio.sleep(pause)

    async def _refreshed(self) -> None:
        await self.refresh()
        await self._stall.over()
