"""What `badges resnapshot` does: a new generation of the log in the place of the one there is."""

from streams.errors import Problem
from streams.log import generations, topics
from streams.log.filling import Site
from streams.log.generations import Generation
from streams.log.provisioning import alone, check_site, fill
from streams.log.removal import sweep


async def resnapshot(site: Site, *, keep: bool = False) -> Generation:
    """Fill the next generation beside the one there is, make it live, and remove what is over.

    The one there is may be live and whole, or broken with any of its parts missing. What an
    interrupted run has begun is gone on with. Who had to wait for another run is content with what
    that has made. Raises Problem.
    """
    await check_site(site)
    before = await generations.live(site.connection)
    async with alone(site):
        if await generations.last_live(site.connection) is None:
            raise Problem(
                "there is no log yet that a new generation could replace",
                hint="Run `badges provision`",
            )
        await topics.ensure(site.cluster, topics.dead_letters(site.prefix), site.replication_factor)
        live = await generations.live(site.connection)
        if live is None or live == before or live.partitions != site.partitions:
            await generations.keep(site.connection, keep)
            live = await fill(site)
        await sweep(site, live)
        return live
