"""Tests on containers: what docker is told, and the clear line where none answers.

The docker command of these tests only writes down what it was told: it stands for an engine that
is not everywhere.
"""

import re
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from badges.stack import docker, secrets, services
from badges.stack.infra import PARTS, Infra
from badges.stack.layout import HOST, Layout
from streams.errors import Failure
from tests import launcher
from tests.parts import PAUSED, RUNNING, Containers
from tests.stack import Stack, free_port_base

ROOT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load(docker.COMPOSE_FILE.read_text())
DOCKER = """#!/bin/sh
echo "$(pwd)|$*" >> "$FAKE_DOCKER/lines"
env > "$FAKE_DOCKER/variables"
case "$*" in
*" ps "*) [ ! -e "$FAKE_DOCKER/containers" ] || cat "$FAKE_DOCKER/containers" ;;
esac
if [ -e "$FAKE_DOCKER/refusal" ]; then
    cat "$FAKE_DOCKER/refusal" >&2
    exit 1
fi
"""


@dataclass
class Told:
    """The folder of a docker command, in which is what it was told."""

    folder: Path

    def lines(self) -> list[str]:
        """What it was told so far, a line each; all came from the compose file's folder."""
        lines = (self.folder / "lines").read_text().splitlines()
        assert {line.partition("|")[0] for line in lines} == {str(docker.COMPOSE_FILE.parent)}
        return [line.partition("|")[2] for line in lines]


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Told:
    folder = tmp_path / "docker"
    folder.mkdir()
    program = folder / "docker"
    program.write_text(DOCKER)
    program.chmod(0o755)
    monkeypatch.setenv("FAKE_DOCKER", str(folder))
    monkeypatch.setenv("PATH", str(folder), prepend=":")
    return Told(folder)


@pytest.fixture
def infra(tmp_path: Path) -> Infra:
    layout = Layout(tmp_path / "run", 25000)
    layout.make("docker")
    return Infra(layout, secrets.ensure(layout.run_dir))


def test_every_part_is_a_service_that_says_when_it_is_healthy() -> None:
    for part in PARTS:
        assert "healthcheck" in COMPOSE["services"][part]


def test_each_order_is_the_line_for_that_service_alone(told: Told, infra: Infra) -> None:
    parts = Containers(infra)

    parts.start(["connect", "postgres"])
    parts.kill("kafka")
    parts.pause("kafka")
    parts.resume("kafka")
    parts.stop(["kafka", "connect"])
    parts.remove()

    file = f"--env-file {infra.layout.run_dir}/compose.env"
    project = "--project-name badge-streams-25000"
    start = "up --wait --wait-timeout=180 --no-deps --no-recreate"
    assert told.lines() == [
        f"compose -f docker-compose.yml {file} {project} {order}"
        for order in (
            f"{start} postgres",
            f"{start} connect",
            "kill kafka",
            "pause kafka",
            "unpause kafka",
            "stop --timeout=30 kafka connect",
            "down --volumes",
        )
    ]


def test_prometheus_and_grafana_come_and_go_alone(told: Told, infra: Infra) -> None:
    with Containers(infra).watching():
        (up,) = told.lines()
    (_, gone) = told.lines()

    assert up.endswith(" up --wait --wait-timeout=180 --no-deps --no-recreate prometheus grafana")
    assert gone.endswith(" rm --force --stop --volumes prometheus grafana")


def test_compose_is_given_every_variable_and_no_other_stack_s(
    told: Told, infra: Infra, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BADGES_KAFKA_PORT", "1")
    monkeypatch.setenv("BADGES_OWNER_PASSWORD", "of another stack")
    Containers(infra).kill("kafka")

    file = infra.layout.run_dir / "compose.env"
    pairs = dict(line.split("=", 1) for line in file.read_text().splitlines())
    shell = re.findall(r"^(BADGES_\w+)=", (told.folder / "variables").read_text(), re.MULTILINE)

    assert set(re.findall(r"\$\{(\w+)", docker.COMPOSE_FILE.read_text())) <= set(pairs)
    assert not set(shell) & set(pairs)
    assert pairs["BADGES_KAFKA_PORT"] == str(infra.layout.port("kafka"))
    assert pairs["BADGES_OWNER_PASSWORD"] == infra.passwords["BADGES_OWNER_PASSWORD"]
    assert file.stat().st_mode & 0o077 == 0


def test_alive_is_what_runs_or_is_paused(told: Told, infra: Infra) -> None:
    (told.folder / "containers").write_text(
        '{"Service": "postgres", "State": "running", "Health": "healthy"}\n'
        '{"Service": "kafka", "State": "paused"}\n'
        '{"Service": "connect", "State": "exited", "ExitCode": 137}\n'
        '{"Service": "prometheus", "State": "running"}\n'
    )

    assert Containers(infra).states() == {"postgres": RUNNING, "kafka": PAUSED}
    assert told.lines()[-1].endswith(" ps --format json -a")


def test_repair_lets_go_on_what_is_paused_and_starts_what_is_dead(told: Told, infra: Infra) -> None:
    (told.folder / "containers").write_text(
        '{"Service": "postgres", "State": "running"}\n{"Service": "kafka", "State": "paused"}\n'
    )

    Stack(infra, Containers(infra)).repair(PARTS)

    look, resumed, started = told.lines()
    assert look.endswith("ps --format json -a")
    assert resumed.endswith(" unpause kafka")
    assert started.endswith(" --no-deps --no-recreate connect")


def test_what_compose_says_against_an_order_is_passed_on(told: Told, infra: Infra) -> None:
    (told.folder / "refusal").write_text("no such image")

    with pytest.raises(Failure, match="docker compose up failed: no such image"):
        Containers(infra).start(["kafka"])


def test_the_guard_removes_the_containers_of_a_killed_run(told: Told, infra: Infra) -> None:
    Containers(infra)

    guard = [sys.executable, "-m", "tests.guard", str(infra.layout.run_dir)]
    subprocess.run(guard, stdin=subprocess.DEVNULL, cwd=ROOT, check=True)

    last = told.lines()[-1]
    assert "--project-name badge-streams-25000 " in last
    assert last.endswith("/compose.env --profile monitoring down --remove-orphans --volumes")
    assert not infra.layout.run_dir.exists()


Launch = Callable[[str], tuple[int, list[str]]]


@pytest.fixture
def launch(
    infra: Infra, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Launch:
    """Calls the launcher; its exit code, and the lines it printed."""
    monkeypatch.setenv("BADGES_RUN_DIR", str(infra.layout.run_dir))

    def call(action: str) -> tuple[int, list[str]]:
        code = launcher.launch(monkeypatch, action)
        output, errors = capsys.readouterr()
        return code, (output + errors).splitlines()

    return call


def orders(told: Told) -> list[str]:
    """The orders to compose, without the places of its files."""
    lines = [line for line in told.lines() if line.startswith("compose --project-name")]
    return [line.partition("compose.env ")[2] for line in lines]


REMOVED = [
    "--profile monitoring rm --force --stop --volumes",
    "--profile monitoring down --remove-orphans",
]
WITH_DATA = "--profile monitoring down --remove-orphans --volumes"


def test_down_leaves_the_data_and_nothing_else(told: Told, infra: Infra, launch: Launch) -> None:
    docker.write_variables(infra.layout, infra.passwords)

    assert launch("down") == (0, ["removed the containers"])
    assert orders(told) == REMOVED
    assert secrets.load(infra.layout.run_dir) == infra.passwords


@pytest.mark.parametrize("between", ["nothing", "a local stack", "another port"])
def test_clean_after_down_removes_the_data_with_the_passwords(
    told: Told, infra: Infra, launch: Launch, between: str
) -> None:
    docker.write_variables(infra.layout, infra.passwords)
    launch("down")
    if between != "nothing":
        Layout(infra.layout.run_dir, 25000 if between == "a local stack" else 25100).make()

    code, _ = launch("clean")

    assert code == 0
    assert orders(told) == [*REMOVED, WITH_DATA]
    assert "--project-name badge-streams-25000 " in told.lines()[-1]
    assert not infra.layout.run_dir.exists()


def test_the_data_of_containers_are_not_forgotten_where_no_engine_answers(
    told: Told, infra: Infra, launch: Launch
) -> None:
    docker.write_variables(infra.layout, infra.passwords)
    (told.folder / "refusal").write_text("Cannot connect to the Docker daemon\n")

    code, (line,) = launch("clean")

    assert code == 2
    assert line.endswith(
        "needs Docker, and docker info does not work: Cannot connect to the Docker daemon"
    )
    assert secrets.load(infra.layout.run_dir) == infra.passwords


def test_a_local_stack_is_refused_while_containers_run(
    told: Told, infra: Infra, launch: Launch
) -> None:
    docker.write_variables(infra.layout, infra.passwords)
    note = infra.layout.note.read_text()
    (told.folder / "containers").write_text("0123456789ab\n")

    code, lines = launch("up")

    assert (code, lines) == (
        2,
        [f"badges: containers of {infra.layout.run_dir} run. make down first"],
    )
    assert infra.layout.note.read_text() == note
    assert orders(told) == ["ps --quiet"]


@pytest.mark.usefixtures("told")
def test_containers_on_a_port_in_use_leave_nothing_behind(tmp_path: Path) -> None:
    layout = Layout(tmp_path / "new", free_port_base())
    with (
        socket.create_server((HOST, layout.port("connect"))),
        pytest.raises(Failure, match=r"\(for connect\) is in use"),
    ):
        docker.up(layout, print)

    assert not layout.run_dir.exists()


@pytest.mark.parametrize(
    ("profiles", "lines"),
    [
        ("", ["up, dashboard at API/; stop it with make down"]),
        (
            "monitoring",
            ["up, dashboard at API/; stop it with make down", "Grafana: GRAFANA; Prometheus: PROM"],
        ),
    ],
)
@pytest.mark.usefixtures("told")
def test_where_to_look_is_said_when_it_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, profiles: str, lines: list[str]
) -> None:
    layout = Layout(tmp_path / "new", free_port_base())
    monkeypatch.setenv("COMPOSE_PROFILES", profiles)
    monkeypatch.setattr(services, "is_ready", lambda _: True)
    monkeypatch.setattr(services, "what_waits", lambda _layout, _passwords: None)
    said: list[str] = []

    docker.up(layout, said.append)

    addresses = {"API": "api", "GRAFANA": "grafana", "PROM": "prometheus"}
    for name, part in addresses.items():
        lines = [line.replace(name, layout.url(part)) for line in lines]
    assert said == lines


@pytest.mark.usefixtures("told")
def test_containers_keep_their_ports(infra: Infra) -> None:
    docker.write_variables(infra.layout, infra.passwords)

    with pytest.raises(Failure, match="have BADGES_PORT_BASE=25000"):
        docker.up(Layout(infra.layout.run_dir, 25100), print)
    assert docker.made(infra.layout.run_dir) == infra.layout


@pytest.fixture
def on_containers(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A run of one test that STACK says is on containers, whatever it is of itself."""
    monkeypatch.setenv("STACK", "docker")
    pytester.makepyfile("def test_it(local):\n    raise AssertionError")
    return pytester


def ended_with(run: pytest.RunResult) -> str:
    """The only line of a run that did not begin."""
    assert (run.ret, run.outlines) == (pytest.ExitCode.USAGE_ERROR, [])
    (line,) = filter(None, run.errlines)
    return line


def test_without_docker_a_run_ends_at_once_with_one_line(
    on_containers: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(on_containers.path))

    assert ended_with(on_containers.runpytest_inprocess("-p", "tests.conftest")) == (
        "ERROR: STACK=docker needs Docker, and there is no docker command on the PATH"
    )


def test_without_an_engine_a_run_ends_at_once_with_one_line(
    told: Told, on_containers: pytest.Pytester
) -> None:
    (told.folder / "refusal").write_text("Cannot connect to the Docker daemon\nIs it running?\n")

    assert ended_with(on_containers.runpytest_inprocess("-p", "tests.conftest")) == (
        "ERROR: STACK=docker needs Docker, and docker info does not work: "
        "Cannot connect to the Docker daemon"
    )


@pytest.mark.usefixtures("told")
def test_what_is_about_local_processes_is_skipped_in_ci_too(
    on_containers: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BADGES_CI", "1")

    on_containers.runpytest_inprocess("-p", "tests.conftest").assert_outcomes(skipped=1)
