"""What `badges resnapshot` does: a new generation of the log in the place of the one there is."""

from badges.console.problems import Problem
from badges.console.schema.check import check
from badges.console.stack import topics
from badges.console.stack.filling import Site
from badges.console.stack.provisioning import alone, check_site, fill
from badges.console.stack.removal import sweep
from badges.streams import generations
from badges.streams.generations import Generation


async def resnapshot(site: Site, *, keep: bool = False) -> Generation:
    """Fill the next generation beside the one there is, make it live, and remove what is over.

    The one there is may be live and whole, or broken with any of its parts missing. What an
    interrupted run has begun is gone on with. Who had to wait for another run is content with what
    that has made. Raises Problem.
    """
    await check_site(site)
    before = await generations.live(site.connection)
    async with alone(site):
        if not await generations.ever_live(site.connection):
            raise Problem(
                "there is no log yet that a new generation could replace",
                hint="Run `badges provision`",
            )
        await _refuse_faults(site)
        await topics.ensure(site.cluster, topics.dead_letters(site.prefix), site.replication_factor)
        live = await generations.live(site.connection)
        if live is None or live == before or live.partitions != site.partitions:
            await generations.keep(site.connection, keep)
            live = await fill(site)
        await sweep(site, live)
        return live


async def _refuse_faults(site: Site) -> None:
    """What is wrong with what a log is read from would be missing from the new one too.

    Whatever else differs is as wrong as before: it is told, and keeps nobody from mending a log.
    """
    differences = await check(site.connection, prefix=site.prefix)
    faults = [each for each in differences if each.spoils_log]
    for each in differences:
        if not each.spoils_log and each.consequence != "report":
            site.say(f"Warning: {each.where} {each.found}; see `badges migrate --check`.")
    if faults:
        more = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        raise Problem(
            f"the database is not as a log needs it: {faults[0].where} {faults[0].found}{more}",
            hint="Run `badges migrate`, which mends what it may; `badges migrate --check` lists "
            "all, with the statements that mend them",
        )
