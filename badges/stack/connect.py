"""Kafka Connect, distributed with one worker, with Debezium on its class path."""

from collections.abc import Mapping
from pathlib import Path

from badges.stack import java, processes
from badges.stack.layout import HOST, Layout

HEAP = "512m"

SETTINGS = {
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
    "config.storage.replication.factor": "1",
    "offset.storage.replication.factor": "1",
    "offset.storage.partitions": "1",
    "status.storage.replication.factor": "1",
    "status.storage.partitions": "1",
    "offset.flush.interval.ms": "1000",
    "scheduled.rebalance.max.delay.ms": "0",
    "connector.client.config.override.policy": "All",
    "plugin.discovery": "service_load",
    "config.providers": "env",
    "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
    "config.providers.env.param.allowlist.pattern": "^BADGES_CONNECT_.*",
}
"""Settings of the worker, local and in docker-compose.yml; addresses and names come on top."""


def names(prefix: str) -> dict[str, str]:
    """Return the worker's group and its three topics, which begin with the prefix."""
    return {
        "group.id": f"{prefix}-connect",
        "config.storage.topic": f"{prefix}.connect-configs",
        "offset.storage.topic": f"{prefix}.connect-offsets",
        "status.storage.topic": f"{prefix}.connect-status",
    }


def prepare(layout: Layout, prefix: str) -> None:
    home = _home(layout)
    home.mkdir(parents=True, exist_ok=True)
    here = {
        "bootstrap.servers": layout.kafka_bootstrap,
        "listeners": layout.connect_url,
        "rest.advertised.host.name": HOST,
    }
    java.write_properties(home / "worker.properties", {**SETTINGS, **names(prefix), **here})


def command(layout: Layout, database: Mapping[str, str]) -> processes.Command:
    """Return how to start the worker; `database` holds its BADGES_CONNECT_DATABASE_* variables."""
    home = _home(layout)
    main = "org.apache.kafka.connect.cli.ConnectDistributed"
    line = java.program(home, main, [str(home / "worker.properties")], heap=HEAP)
    return processes.Command("connect", line, environment={**java.environment(), **database})


def is_ready(layout: Layout) -> bool:
    return processes.answers(f"{layout.connect_url}/connectors")


def _home(layout: Layout) -> Path:
    return layout.run_dir / "connect"
