"""What `--fix` does: what brings back what is missing, and nothing that takes anything away."""

from collections.abc import Iterable, Mapping, Sequence

from badges.doctor.deployment import Deployment
from badges.doctor.examination import UNANSWERED
from badges.doctor.lines import Line, Safe
from schema import apply
from sinks import duplicates
from streams.errors import Problem
from streams.log import provisioning

_DOES: Mapping[Safe, str] = {
    "migrate": "badges migrate",
    "topics": "set the topics' settings",
    "provision": "badges provision",
}
"""In this order: a log needs the schema, and provisioning the topic as it must be."""


def wanted(lines: Iterable[Line]) -> list[Safe]:
    """What is to be done about these lines, each once, in order."""
    asked = {line.finding.safe for line in lines if line.finding.status != "ok"}
    return [safe for safe in _DOES if safe in asked]


async def mend(at: Deployment, lines: Sequence[Line]) -> list[str]:
    """Do what is safe about these lines, and say each step; what was done.

    What cannot be done is said, and the next is tried.
    """
    done = []
    for safe in wanted(lines):
        about = sorted({line.id for line in lines if line.finding.safe == safe})
        at.say(f"{_DOES[safe]}: for {', '.join(about)}")
        try:
            if safe == "migrate":
                await _migrate(at)
            elif safe == "topics":
                await _set_topics(at)
            else:
                await provisioning.provision(at.site)
        except UNANSWERED as error:
            at.say(f"not done: {error}")
        else:
            done.append(_DOES[safe])
    return done


async def _migrate(at: Deployment) -> None:
    """Raises Problem where it would remove awards: which of them stays is for a person to see."""
    twice = await duplicates.remove(at.connection, dry_run=True)
    if twice:
        raise Problem(
            f"it would remove {len(twice)} awards that are held twice: `badges dedupe --dry-run` "
            "lists them, `badges dedupe` removes them"
        )
    await apply.migrate(at.connection, prefix=at.chosen.prefix, role_passwords={}, tell=at.say)


async def _set_topics(at: Deployment) -> None:
    for wanted_topic in await at.topics():
        if await at.cluster.topics([wanted_topic.name]):
            await at.cluster.change(wanted_topic.name, wanted_topic.settings)
