"""Connect has an address of Postgres of its own, and it may lead elsewhere."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import pytest

from badges.stack import docker
from streams.errors import WRONG_USE, Failure
from streams.filling import provisioning
from streams.filling.site import ADDRESS
from streams.log import generations
from streams.log.generations import Generation
from tests.conftest import BY_DESIGN
from tests.contract.proxy import proxied
from tests.log_site import add_mentor, own_site
from tests.own_site import OwnSite
from tests.patience import until
from tests.stack import Stack


@dataclass(frozen=True)
class Elsewhere(OwnSite):
    """A site whose Connect is told something else about Postgres, by the connector's settings."""

    told: Mapping[str, str] = field(default_factory=dict)

    def configuration(self, number: int, /, *stand_in: str) -> dict[str, str]:
        return {**super().configuration(number, *stand_in), **self.told}


def elsewhere(site: OwnSite, lines: list[str], told: Mapping[str, str]) -> Elsewhere:
    return Elsewhere(**{**vars(site), "say": lines.append, "told": told})


@pytest.mark.skipif(docker.asked_for(), reason=f"{BY_DESIGN}a container does not see the pooler")
def test_a_pooler_is_one_line_and_nothing_is_thrown_away(stack: Stack, database_url: str) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site, proxied(database_url) as (proxy, pooler):
            await add_mentor(site.connection, activities=10)
            proxy.be_a_pooler()
            lines: list[str] = []
            led = {"database.port": str(urlsplit(pooler).port)}

            for _ in range(2):
                with pytest.raises(Failure) as caught:
                    await provisioning.provision(elsewhere(site, lines, led))
                assert ADDRESS in str(caught.value)
                assert "unsupported startup parameter: replication" in str(caught.value)
                assert caught.value.code == WRONG_USE
            (begun,) = lines  # and not a word of anything thrown away
            assert "Generation 1 of the log begins" in begun
            half = await generations.filling(site.connection)
            assert half is not None

            async def provisioned() -> Generation | None:
                """The log; None when the connector takes long to begin again, as it then says."""
                try:
                    return await provisioning.provision(elsewhere(site, lines, {}))
                except Failure as failure:
                    if "failed before it could read anything" not in str(failure):
                        raise
                    return None

            live = await until(provisioned, "the log")

            assert live.log_id == half.log_id
            assert sum(live.starts) == 11
            sent = await site.connect.config(live.connector)
            assert sent is not None
            assert sent["unavailable.value.placeholder"] == live.stand_in == half.stand_in

    asyncio.run(test())


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ({"database.port": "9"}, ":9 refused"),
        ({"database.hostname": "[::1]"}, "an IPv6 address needs a name"),
        ({"database.password": "other"}, "password authentication failed"),
    ],
)
def test_what_connect_cannot_use_begins_nothing(
    stack: Stack, database_url: str, told: Mapping[str, str], cause: str
) -> None:
    async def test() -> None:
        async with own_site(stack, database_url) as site:
            with pytest.raises(Failure) as caught:
                await provisioning.provision(elsewhere(site, [], told))
            assert cause in str(caught.value)
            assert ADDRESS in str(caught.value)
            assert await generations.newest(site.connection) is None

    asyncio.run(test())
