"""make up and make down for the servers: again, in the middle, side by side, after a kill."""

import os
import re
import socket
import subprocess
from pathlib import Path

import pytest

from badges.stack import launch, processes, secrets
from badges.stack.infra import PARTS, Infra
from badges.stack.layout import HOST, Layout
from streams.errors import Failure
from tests.conftest import BY_DESIGN
from tests.launcher import Launcher, kill
from tests.parts import freeze
from tests.stack import LIMIT_S, Stack, free_port_base, guarded, wait_for

pytestmark = pytest.mark.usefixtures("local")


def _ids(launcher: Launcher) -> dict[str, int]:
    return {name: int(launcher.layout.pid_file(name).read_text()) for name in PARTS}


def test_up_again_mended_down_again_and_the_second_start(launcher: Launcher) -> None:
    first = launcher.run("up", "--infra")
    ids = _ids(launcher)
    again = launcher.run("up", "--infra")
    for _ in range(5):
        if again[1].startswith("already up"):
            break
        # A server that has no time for an answer is not ready.
        again = launcher.run("up", "--infra")
    same = _ids(launcher)
    kill(ids["connect"])
    mended = launcher.run("up", "--infra")
    other = _ids(launcher)
    ended = launcher.run("down")
    left = launcher.running()
    nothing = launcher.run("down")
    second = launcher.run("up", "--infra")

    assert (first[0], first[2]) == (0, "")
    assert again[:2] == (0, "already up; make down stops it\n")
    assert same == ids
    assert re.findall(r"^(\w+) +ready", mended[1], re.MULTILINE) == ["connect"]
    assert (other["postgres"], other["kafka"]) == (ids["postgres"], ids["kafka"])
    assert other["connect"] != ids["connect"]
    assert (ended[0], left) == (0, set())
    assert nothing == (0, "nothing was running\n", "")
    assert second[0] == 0


def test_a_killed_launcher_leaves_nothing_that_down_does_not_end(launcher: Launcher) -> None:
    up = launcher.begin("up", "--infra")
    wait_for(lambda: "kafka" in launcher.running(), LIMIT_S, "the broker's start")
    up.kill()
    up.communicate(timeout=LIMIT_S)

    code, output, _ = launcher.run("down")

    assert code == 0
    assert output.startswith("stopped ")
    assert launcher.running() == set()


def test_processes_are_found_without_their_id_files(launcher: Launcher) -> None:
    launcher.layout.make()
    process = processes.spawn(launcher.layout, processes.Command("worker", ["sleep", "60"]))
    launcher.layout.pid_file("worker").unlink()

    launcher.run("down")

    assert not processes.is_running(process)


def _held_up(launcher: Launcher) -> subprocess.Popen[str]:
    """An `up` whose broker is frozen, so that it goes on waiting."""
    for _ in range(3):
        up = launcher.begin("up", "--infra")
        # Its id is in the file a little later than its mark can be seen.
        wait_for(
            lambda: processes.find(launcher.layout, "kafka") is not None,
            LIMIT_S,
            "the broker's start",
        )
        broker = processes.find(launcher.layout, "kafka")
        assert broker is not None
        freeze(broker)
        if up.poll() is None:
            return up
        # It had come to its end by then: Connect, which takes its time, was there as well.
        launcher.run("down")
        up.communicate(timeout=LIMIT_S)
    raise AssertionError("up was at its end each time before its broker was frozen")


def test_down_ends_an_up_that_is_still_at_work(launcher: Launcher) -> None:
    up = _held_up(launcher)

    code, output, _ = launcher.run("down")

    assert code == 0
    assert f"process {up.pid}" in output
    up.communicate(timeout=LIMIT_S)
    assert launcher.running() == set()


def test_down_leaves_a_process_alone_that_got_an_old_id(launcher: Launcher) -> None:
    launcher.layout.make()
    with subprocess.Popen(["sleep", "60"]) as stranger:
        launcher.layout.pid_file("worker").write_text(f"{stranger.pid}\n")

        try:
            launcher.run("down")
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_a_port_in_use_is_one_line_and_nothing_is_started(
    launcher: Launcher, postgres: Stack
) -> None:
    layout = Layout(launcher.layout.run_dir, postgres.infra.layout.port_base)

    code, _, errors = Launcher(layout).run("up", "--infra")

    assert code == 2
    assert re.fullmatch(
        r"badges: port \d+ \(for postgres\) is in use.*BADGES_PORT_BASE.*\n", errors
    )
    assert launcher.running() == set()
    assert not layout.run_dir.exists()


def test_a_port_in_use_changes_nothing_of_a_stack_that_was_there(launcher: Launcher) -> None:
    launcher.layout.make()
    before = {path: path.stat().st_mtime_ns for path in launcher.layout.run_dir.rglob("*")}
    with socket.create_server((HOST, launcher.layout.port("api"))):
        code, _, errors = launcher.run("up")

    assert code == 2
    assert f"port {launcher.layout.port('api')} (for api) is in use" in errors
    after = {path: path.stat().st_mtime_ns for path in launcher.layout.run_dir.rglob("*")}
    assert after == before


def test_a_second_stack_in_one_folder_is_refused(postgres: Stack) -> None:
    layout = Layout(postgres.infra.layout.run_dir, free_port_base())

    code, _, errors = Launcher(layout).run("up", "--infra")

    assert code == 2
    assert "with BADGES_RUN_DIR" in errors
    assert errors.count("\n") == 1
    wait_for(lambda: postgres.infra.is_ready("postgres"), LIMIT_S, "the answer of the first")


def test_a_missing_download_is_one_line(launcher: Launcher, tmp_path: Path) -> None:
    code, _, errors = launcher.run(
        "install",
        BADGES_JARS_DIR=str(tmp_path / "jars"),
        BADGES_MAVEN_REPOSITORY="http://127.0.0.1:1",
    )

    assert code == 2
    assert re.fullmatch(r"badges: cannot download \S+: .*needs the network.*\n", errors)


def test_a_full_disk_is_one_line(launcher: Launcher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch, "ROOM", 10**18)

    with pytest.raises(Failure, match=r"the disk of .* is full: \d+ MB are free"):
        launch.up(launcher.layout, print, only_infra=True)


def test_a_part_that_ends_while_starting_shows_its_own_words(launcher: Launcher) -> None:
    launcher.layout.make()
    line = ["sh", "-c", "echo No space left on device; exit 1"]
    process = processes.spawn(launcher.layout, processes.Command("kafka", line))

    with pytest.raises(Failure, match=r"kafka\.log says\n  No space left on device"):
        processes.wait_until_ready(launcher.layout, "kafka", process, lambda: False, LIMIT_S)


@pytest.mark.skipif(os.geteuid() != 0, reason=f"{BY_DESIGN}only root gives its rights away")
def test_root_needs_no_folder_that_is_open_to_others(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    launcher = Launcher(Layout(closed / "stack", free_port_base()))

    launcher.layout.make()
    infra = Infra(launcher.layout, secrets.ensure(launcher.layout.run_dir))
    with guarded(launcher.layout.run_dir):
        infra.start(["postgres"])
        server = infra.process("postgres")
        owner = server.username() if server else ""
        mode = closed.stat().st_mode & 0o777
        code, _, errors = launcher.run("clean")

    assert (code, errors) == (0, "")
    assert owner == "nobody"
    assert mode == 0o700
    assert launcher.running() == set()
