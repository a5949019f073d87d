"""Kafka: whether it answers, and whether our topics are as they must be."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, failed, ok, warning
from streams.log import topics
from streams.log.cluster import Placement

_NEEDS: Final = ("postgres", "kafka")


async def _answers(at: Deployment) -> Sequence[CheckResult]:
    # The request is in the version of Kafka 3.1; an older one refuses it.
    found = await at.cluster.placement([])
    return [
        ok(
            "Kafka",
            f"answers at {at.chosen.kafka_bootstrap} in the protocol of 3.1 or later; brokers: "
            f"{found.brokers}, cluster {found.cluster_id}",
        )
    ]


KAFKA = Check(
    "kafka", "Kafka", _answers, silent="start it, or set BADGES_KAFKA_BOOTSTRAP to where it is"
)


async def _topics(at: Deployment) -> Sequence[CheckResult]:
    """The settings of each topic; what keeps the log whole is for the check `log_whole`."""
    wanted = await at.topics()
    log = wanted[0]
    there = await at.cluster.topics([each.name for each in wanted])
    found: list[CheckResult] = []
    for each in wanted:
        if each.name not in there:
            if each is not log:
                message = "the topic is missing"
                found.append(failed(each.name, message, "badges provision", safe="provision"))
            continue
        needed = {
            name: value
            for name, value in each.settings.items()
            if each is not log or name not in topics.LOG_SETTINGS
        }
        found += unfit(each.name, await at.cluster.settings(each.name), needed)
    return found or [ok("topics", "all three have the settings that they need")]


def unfit(
    topic: str, settings: Mapping[str, str], needed: Mapping[str, str]
) -> Iterator[CheckResult]:
    """What of a topic's settings is other than needed; `--fix` makes none of them less safe."""
    wrong = {name: must for name, must in needed.items() if settings.get(name) != must}
    repairs = topics.repairs(settings, needed)
    if repairs:
        told = "; ".join(topics.wrong_settings(settings, repairs))
        yield warning(topic, f"{topic}: {told}", alter(topic, repairs), safe="topics")
    stricter = {name: must for name, must in wrong.items() if name not in repairs}
    if stricter:
        told = "; ".join(topics.wrong_settings(settings, stricter))
        message = f"{topic}: {told}, or nothing is written while a broker is away"
        yield warning(topic, message, alter(topic, stricter))


def alter(topic: str, settings: Mapping[str, str]) -> str:
    """The command of Kafka's own that sets some of a topic's settings."""
    listed = ",".join(f"{name}={value}" for name, value in settings.items())
    return (
        f"kafka-configs.sh --alter --entity-type topics --entity-name {topic} --add-config {listed}"
    )


async def _replicas(at: Deployment) -> Sequence[CheckResult]:
    placed, live = await at.placement(), await at.log()
    found = [*replicas(placed, live.topic, at.chosen.replication_factor)]
    numbers = ", ".join(map(str, sorted({*placed.replicas.values()})))
    return found or [ok("topics", f"replicas of each: {numbers}, all in sync")]


def replicas(placed: Placement, log: str, wanted: int) -> Iterator[CheckResult]:
    """What about the topics' replicas is a danger, or other than BADGES_REPLICATION_FACTOR says.

    `log` is the topic of the log, `wanted` the setting.
    """
    there = placed.replicas.get(log, wanted)
    if there == 1 and placed.brokers > 1:
        yield warning(
            log,
            f"the log has one replica on {placed.brokers} brokers: the one that loses its disk "
            "breaks it",
            "set BADGES_REPLICATION_FACTOR=3, and run `badges resnapshot`",
        )
    if there > wanted:
        yield warning(
            "BADGES_REPLICATION_FACTOR",
            f"BADGES_REPLICATION_FACTOR is {wanted} and the log has {there} replicas: the next new "
            "generation would have fewer",
            f"set BADGES_REPLICATION_FACTOR={there}",
        )
    for topic, number in placed.replicas.items():
        if number < wanted:
            yield warning(
                topic,
                f"{topic} has {number} replicas, BADGES_REPLICATION_FACTOR asks for {wanted}",
                "kafka-reassign-partitions.sh, or set BADGES_REPLICATION_FACTOR to what there is",
            )
    for topic, behind in placed.behind.items():
        if behind:
            message = f"{behind} partitions of {topic} have a replica that is not in sync"
            yield warning(topic, message, "start the broker that is away")


async def _partitions(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    if live.partitions == at.chosen.partitions:
        return [ok("BADGES_PARTITIONS", f"{live.partitions}, as many as the log has")]
    return [
        warning(
            "BADGES_PARTITIONS",
            f"BADGES_PARTITIONS is {at.chosen.partitions} and the log has {live.partitions}: the "
            "next new generation would have another number",
            f"set BADGES_PARTITIONS={live.partitions}, or run `badges resnapshot`",
        )
    ]


CHECKS = (
    Check("topics", "Kafka", _topics, _NEEDS, ("generation", "prefix")),
    Check("replicas", "Kafka", _replicas, _NEEDS, ("generation", "prefix")),
    Check("partitions", "Kafka", _partitions, _NEEDS, ("generation", "prefix")),
)
