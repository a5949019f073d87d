"""Kafka Connect: its version and plugin, the connector and its configuration."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from badges.doctor.deployment import Deployment, once
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, failed, ok, warning
from badges.stack.versions import DEBEZIUM, KAFKA
from streams.log.connector_monitor import outage

_PLUGIN = "io.debezium.connector.postgresql.PostgresConnector"
_NEEDS: Final = ("postgres", "connect")
_LOG = ("generation", "prefix")
_PROVISION = "badges provision"
_NONE: Mapping[str, str] = {}


async def _answers(at: Deployment) -> Sequence[CheckResult]:
    about = await at.connect.about()
    return [ok("Kafka Connect", f"answers at {at.connect.place}, version {about.version}")]


CONNECT = Check(
    "connect",
    "Kafka Connect",
    _answers,
    silent="start it, or set BADGES_CONNECT_URL to where it is",
)


def older(version: str, wanted: str) -> bool:
    """Whether a version (3.7.0.Final) is older than a wanted one in its first two numbers."""
    return _numbers(version) < _numbers(wanted)


def _numbers(version: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", version)[:2]]


async def _version(at: Deployment) -> Sequence[CheckResult]:
    version = (await at.connect.about()).version
    if older(version, KAFKA):
        message = f"version {version} is older than {KAFKA}, with which this was tested"
        return [warning("Kafka Connect", message, f"upgrade it to {KAFKA}")]
    return [ok("Kafka Connect", f"version {version}")]


async def _plugin(at: Deployment) -> Sequence[CheckResult]:
    version = (await at.connect.plugins()).get(_PLUGIN)
    fix = f"install debezium-connector-postgres {DEBEZIUM} in Kafka Connect's plugin.path"
    if version is None:
        return [failed("Debezium", "Kafka Connect has no connector for Postgres", fix)]
    if older(version, DEBEZIUM):
        message = f"version {version} may lose rows of a COPY when Connect is killed inside it"
        return [warning("Debezium", message, fix)]
    return [ok("Debezium", f"version {version}")]


async def _same_kafka(at: Deployment) -> Sequence[CheckResult]:
    mine, other = (await at.cluster.placement([])).cluster_id, (await at.connect.about()).cluster_id
    if mine == other:
        return [ok("Kafka Connect", "writes to the Kafka that the workers read")]
    return [
        failed(
            "Kafka Connect",
            f"Kafka Connect works with the cluster {other}, BADGES_KAFKA_BOOTSTRAP leads to {mine}",
            "set BADGES_KAFKA_BOOTSTRAP, or bootstrap.servers of Kafka Connect",
        )
    ]


async def _connector(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    found = await outage(live, at.connect)
    if found is None:
        return [ok(live.connector, "the connector and its task run")]
    words = found.cause
    message = f"the connector {live.connector} has failed" if words else found.message
    return [failed(live.connector, message, _PROVISION, words=words, safe="provision")]


@once
async def _differing(at: Deployment) -> Sequence[str]:
    """The names of settings that are other than we would provision; values may be secrets."""
    live = await at.log()
    wanted = at.site.configuration(live.number, live.stand_in)
    stored = await at.connect.config(live.connector) or _NONE
    return sorted(
        name for name in {*wanted, *stored} - {"name"} if stored.get(name) != wanted.get(name)
    )


async def _converters(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    wrong = [name for name in await _differing(at) if ".converter" in name]
    if not wrong:
        return [ok(live.connector, "keys are text, values JSON without a schema")]
    message = f"records are written in another form than workers read: {', '.join(wrong)}"
    return [failed(live.connector, message, _PROVISION, safe="provision")]


async def _configuration(at: Deployment) -> Sequence[CheckResult]:
    live = await at.log()
    wrong = [name for name in await _differing(at) if ".converter" not in name]
    if not wrong:
        return [ok(live.connector, "its configuration is what would be provisioned")]
    message = f"its configuration is not what would be provisioned: {', '.join(wrong)}"
    return [warning(live.connector, message, _PROVISION, safe="provision")]


async def _to_postgres(at: Deployment) -> Sequence[CheckResult]:
    """What Connect says of our configuration; it tries the database's address and password."""
    live = await at.log()
    wrong = await at.connect.validate(at.site.configuration(live.number, live.stand_in))
    if not wrong:
        return [ok(live.connector, "Kafka Connect reaches Postgres with its own address and name")]
    names = ", ".join(each.partition(":")[0] for each in wrong)
    return [
        failed(
            live.connector,
            f"Kafka Connect cannot use the connector ({names})",
            "set BADGES_CONNECT_DATABASE_HOSTNAME, _PORT, _NAME, _USER and _PASSWORD of Kafka "
            "Connect",
            words="; ".join(wrong),
        )
    ]


CHECKS = (
    Check("connect_version", "Kafka Connect", _version, ("connect",)),
    Check("debezium", "Kafka Connect", _plugin, ("connect",)),
    Check("connect_kafka", "Kafka Connect", _same_kafka, ("kafka", "connect")),
    Check("connector", "Kafka Connect", _connector, _NEEDS, _LOG),
    Check("connector_config", "Kafka Connect", _configuration, _NEEDS, ("connector",)),
    Check("converters", "Kafka Connect", _converters, _NEEDS, ("connector",)),
    Check(
        "connect_postgres",
        "Kafka Connect",
        _to_postgres,
        _NEEDS,
        ("debezium", "roles", "role_logins", "rights", "publication", *_LOG),
        patience=7,
    ),
)
