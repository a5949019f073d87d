"""Apache Kafka: one node that is broker and controller (KRaft), bound to the loopback address."""

import shutil
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from badges import event_loop
from badges.stack import java, processes
from badges.stack.layout import HOST, Layout

HEAP = "512m"

SETTINGS = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "auto.create.topics.enable": "false",
    "broker.session.timeout.ms": "6000",
    "group.initial.rebalance.delay.ms": "0",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "10",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "log.cleaner.dedupe.buffer.size": "33554432",
}
"""Settings of the broker, local and in docker-compose.yml; addresses and folders come on top."""


def prepare(layout: Layout) -> None:
    """Write the settings and format the data directory unless that was done before."""
    home = _home(layout)
    home.mkdir(parents=True, exist_ok=True)
    values = {
        **SETTINGS,
        "controller.quorum.voters": f"1@{HOST}:{layout.port('controller')}",
        "listeners": (
            f"PLAINTEXT://{HOST}:{layout.port('kafka')},"
            f"CONTROLLER://{HOST}:{layout.port('controller')}"
        ),
        "advertised.listeners": f"PLAINTEXT://{HOST}:{layout.port('kafka')}",
        "inter.broker.listener.name": "PLAINTEXT",
        "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
        "log.dirs": str(home / "data"),
    }
    java.write_properties(home / "server.properties", values)
    if not (home / "formatted").exists():
        _format(layout)
        (home / "formatted").touch()


def command(layout: Layout) -> processes.Command:
    home = _home(layout)
    line = java.program(home, "kafka.Kafka", [str(home / "server.properties")], heap=HEAP)
    return processes.Command("kafka", line, environment=java.environment())


def is_ready(layout: Layout) -> bool:
    if not processes.listens(layout.port("kafka")):
        return False
    return event_loop.run(lambda: _answers(layout.kafka_bootstrap))


async def _answers(bootstrap: str) -> bool:
    client = AIOKafkaAdminClient(bootstrap_servers=bootstrap, request_timeout_ms=3000)
    try:
        await client.start()
        return bool((await client.describe_cluster())["brokers"])
    except (KafkaError, OSError, TimeoutError):
        return False
    finally:
        await client.close()


def _home(layout: Layout) -> Path:
    return layout.run_dir / "kafka"


def _format(layout: Layout) -> None:
    home = _home(layout)
    shutil.rmtree(home / "data", ignore_errors=True)
    settings = ["--config", str(home / "server.properties")]
    cluster = ["--cluster-id", "badge-streams-local-00"]
    main = "kafka.tools.StorageTool"
    line = java.program(home, main, ["format", *settings, *cluster], heap="128m")
    formatting = processes.Command("kafka-format", line, environment=java.environment())
    processes.complete(layout, formatting, "Kafka's data directory cannot be made")
