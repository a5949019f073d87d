"""Where a local stack lives, what its processes are told, and how a part is started again."""

import shlex
import socket
import stat
from pathlib import Path

import pytest

from badges.stack import addresses, layout, processes, secrets
from badges.stack.layout import PORTS, Layout
from badges.stack.supervisor import LONGEST_WAIT, Restart
from streams.errors import Failure

PASSWORDS = dict.fromkeys(secrets.NAMES, "secret")


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("BADGES_PORT_BASE", raising=False)
    monkeypatch.delenv("BADGES_RUN_DIR", raising=False)
    return tmp_path


def test_the_defaults_are_below_the_ports_that_systems_hand_out(place: Path) -> None:
    found = layout.load()

    assert found == Layout(place / ".run", layout.DEFAULT_PORT_BASE)
    assert [found.port(name) - found.port_base for name in PORTS] == list(range(len(PORTS)))
    assert max(found.port(name) for name in PORTS) < 32768


def test_settings_move_a_stack(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADGES_PORT_BASE", "30000")
    monkeypatch.setenv("BADGES_RUN_DIR", "elsewhere")

    assert layout.load() == Layout(place / "elsewhere", 30000)


def test_a_stack_keeps_the_ports_it_was_last_started_with(place: Path) -> None:
    Layout(place / ".run", 25000).make("docker")

    assert layout.load().port_base == 25000
    assert layout.noted(place / ".run") == layout.Note(stack="docker", port_base=25000)


@pytest.mark.parametrize("wrong", ["80", "65535", "many"])
def test_a_wrong_port_base_is_named(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("BADGES_PORT_BASE", wrong)

    with pytest.raises(Failure, match="BADGES_PORT_BASE"):
        layout.load()


def test_a_damaged_note_says_what_to_do(place: Path) -> None:
    (place / ".run").mkdir()
    (place / ".run" / "stack.json").write_text("{")

    with pytest.raises(Failure, match=r"stack\.json is damaged\. Delete it"):
        layout.load()


def test_passwords_are_made_once_and_only_for_the_owner(tmp_path: Path) -> None:
    made = secrets.ensure(tmp_path)

    assert set(made) == set(secrets.NAMES)
    assert len(set(made.values())) == len(secrets.NAMES)
    assert secrets.ensure(tmp_path) == made == secrets.load(tmp_path)
    assert stat.S_IMODE((tmp_path / "secrets.env").stat().st_mode) == 0o600
    assert all(shlex.quote(value) == value for value in made.values())


def test_a_password_that_is_new_joins_those_that_are_known(tmp_path: Path) -> None:
    (tmp_path / "secrets.env").write_text("BADGES_JWT_SECRET=known\n")

    assert secrets.ensure(tmp_path)["BADGES_JWT_SECRET"] == "known"
    assert set(secrets.load(tmp_path)) == set(secrets.NAMES)


def test_a_stack_that_never_was_says_so(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="Run `make up` first"):
        secrets.load(tmp_path)


@pytest.mark.parametrize("name", addresses.SERVICES)
def test_a_service_gets_its_own_role_and_nobody_elses_password(name: str) -> None:
    told = addresses.for_command(Layout(Path("/run"), 25000), PASSWORDS, name)

    assert told["BADGES_DATABASE_URL"].startswith(f"postgresql://badges_{name}:")
    assert not [variable for variable in told if variable.endswith("_PASSWORD")]


@pytest.mark.parametrize("name", ["worker", "migrate", "provision"])
def test_the_jwt_secret_is_the_apis_alone(name: str) -> None:
    place = Layout(Path("/run"), 25000)

    assert addresses.JWT_SECRET not in addresses.for_command(place, PASSWORDS, name)
    assert addresses.JWT_SECRET not in addresses.for_connect(place, PASSWORDS)
    assert addresses.JWT_SECRET in addresses.for_command(place, PASSWORDS, "api")


def test_a_process_gets_nothing_secret_from_the_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*secrets.NAMES, "BADGES_DATABASE_URL"):
        monkeypatch.setenv(name, "of this stack or another")
    monkeypatch.setenv("BADGES_PREFIX", "badges")

    assert "BADGES_PREFIX" in processes.surroundings()
    assert "of this stack or another" not in processes.surroundings().values()


def test_migrate_gets_the_owner_and_the_roles_passwords() -> None:
    told = addresses.for_command(Layout(Path("/run"), 25000), PASSWORDS, "migrate")

    assert told["BADGES_DATABASE_URL"] == "postgresql://postgres:secret@127.0.0.1:25000/badges"
    assert told["BADGES_CONNECT_PASSWORD"] == "secret"


def test_a_taken_port_names_the_setting() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]

        with pytest.raises(Failure, match=rf"port {port} \(for kafka\) .* BADGES_PORT_BASE"):
            processes.require_free_port("kafka", port)


def test_a_logs_end_is_quoted_with_its_name(tmp_path: Path) -> None:
    log = tmp_path / "kafka.log"
    log.write_text("".join(f"line {number}\n\n" for number in range(100)))

    said = processes.log_tail(log, lines=2)

    assert said == f"the end of {log} says\n  line 98\n  line 99"


def test_a_part_that_dies_at_once_is_started_ever_more_rarely() -> None:
    restart, now, waits = Restart(), 100.0, []
    for _ in range(12):
        restart.begun(now)
        restart.died(now + 0.5)
        waits.append(restart.wait)
        now = restart.due

    assert waits == sorted(waits)
    assert waits[0] < 0.5
    assert waits[-1] == LONGEST_WAIT


def test_a_part_that_ran_for_a_while_is_started_again_at_once() -> None:
    restart = Restart(wait=LONGEST_WAIT)
    restart.begun(100)

    restart.died(160)

    assert restart.due - 160 < 0.5
