"""What `--fix` does: what brings back what is missing, and takes nothing away that is in use."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from badges.doctor.deployment import Deployment
from badges.doctor.examination import UNANSWERED
from badges.doctor.lines import Line, Safe
from schema import apply
from sinks import duplicates
from streams.errors import Failure
from streams.filling import provisioning
from streams.log import topics

_DOES: Mapping[Safe, str] = {
    "migrate": "badges migrate",
    "topics": "set the topics' settings",
    "provision": "badges provision",
}
"""In this order: a log needs the schema, and provisioning the topic as it must be."""


_SURE: Final = ("log_whole", "connect_kafka")
"""The checks that tell whether this is the log's own Kafka and Connect."""


def wanted(lines: Iterable[Line]) -> list[Safe]:
    """What is to be done about these lines, each once, in order."""
    asked = {line.result.safe for line in lines if line.result.status != "ok"}
    return [safe for safe in _DOES if safe in asked]


def obstacle(lines: Iterable[Line], safe: Safe) -> Line | None:
    """The line that keeps this from being done: nothing is made in a Kafka that may be another."""
    if safe == "migrate":
        return None
    failed = (line for line in lines if line.failed and line.result.safe is None)
    return next((line for line in failed if line.id in _SURE), None)


async def mend(at: Deployment, lines: Sequence[Line]) -> list[str]:
    """Do what is safe about these lines, and say each step; what was done.

    What cannot be done is said, and the next is tried.
    """
    done = []
    for safe in wanted(lines):
        about = sorted({line.id for line in lines if line.result.safe == safe})
        at.say(f"{_DOES[safe]}: for {', '.join(about)}")
        first = obstacle(lines, safe)
        if first is not None:
            at.say(f"not done: {first.id} has to be ok before ({first.sentence})")
            continue
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
    """Raises Failure where it would remove awards: which of them stays is for a person to see."""
    twice = await duplicates.remove(at.connection, dry_run=True)
    if twice:
        raise Failure(
            f"it would remove {len(twice)} awards that are held twice: `badges dedupe --dry-run` "
            "lists them, `badges dedupe` removes them"
        )
    await apply.migrate(at.connection, prefix=at.chosen.prefix, role_passwords={}, tell=at.say)


async def _set_topics(at: Deployment) -> None:
    for each in await at.topics():
        if await at.cluster.topics([each.name]):
            repairs = topics.repairs(await at.cluster.settings(each.name), each.settings)
            if repairs:
                await at.cluster.change(each.name, repairs)
