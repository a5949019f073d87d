"""A worker's name, and the directory that keeps it where everybody may make directories."""

import os
import socket
import stat
import tempfile
from pathlib import Path

import pytest

from streams import private_directory
from streams.static_member import StaticMember

ME = os.geteuid()


@pytest.fixture(autouse=True)
def everyday(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A temporary folder of the test's own, and no runtime directory."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def instance(directory: Path | None = None) -> StaticMember:
    return StaticMember("badges-worker", "127.0.0.1:9092", directory)


def slot_of(name: str) -> int:
    return int(name.rpartition("-")[2])


def release(held: StaticMember) -> None:
    """What the kernel does when the process ends, in whatever way."""
    os.close(held._lock)


def test_a_name_is_host_directory_and_slot_and_no_two_are_the_same(tmp_path: Path) -> None:
    first, second = instance(tmp_path), instance(tmp_path)

    host = f"{socket.gethostname()}-"
    assert first.name.startswith(host)
    assert first.name.rpartition("-")[0] == second.name.rpartition("-")[0]
    assert (slot_of(first.name), slot_of(second.name)) == (0, 1)


def test_two_directories_make_two_names_on_hosts_of_one_name(tmp_path: Path) -> None:
    assert instance(tmp_path / "one").name != instance(tmp_path / "other").name


def test_the_name_is_the_same_after_the_end_of_its_process(tmp_path: Path) -> None:
    before = instance(tmp_path)
    release(before)

    assert instance(tmp_path).name == before.name


def test_an_id_that_was_never_written_whole_is_made_anew(tmp_path: Path) -> None:
    folder = tmp_path / f"badges-{ME}"
    folder.mkdir(mode=0o700)
    (folder / "id").write_text("12")

    first, second = instance(tmp_path), instance(tmp_path)

    assert first.name.rpartition("-")[0] == second.name.rpartition("-")[0]
    assert (folder / "id").read_text() in first.name


def test_the_everyday_place_is_the_users_runtime_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runtime = tmp_path / "runtime"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))

    assert instance().directory.parent == runtime
    assert stat.S_IMODE(instance().directory.stat().st_mode) == 0o700


@pytest.mark.parametrize("wrong", ["", "relative", "/nowhere", "open"])
def test_a_runtime_directory_that_is_not_ours_alone_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wrong: str
) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "open") if wrong == "open" else wrong)

    assert instance().directory == tmp_path / f"badges-{ME}"


@pytest.mark.skipif(ME != 0, reason="by design: only root can give a folder to somebody else")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / f"badges-{ME}"
    folder.mkdir(mode=0o700)
    os.chown(folder, 65534, 65534)

    with pytest.raises(OSError, match="belongs to another user"):
        instance()
    assert list(folder.iterdir()) == []


def test_a_directory_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / f"badges-{ME}"
    folder.mkdir()
    folder.chmod(0o770)

    with pytest.raises(OSError, match="others may write to it"):
        instance()


def test_a_link_in_place_of_the_directory_is_refused(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o700)
    (tmp_path / f"badges-{ME}").symlink_to(elsewhere)

    with pytest.raises(OSError, match="it is a link"):
        instance()
    assert list(elsewhere.iterdir()) == []


@pytest.mark.parametrize("which", ["lock", "id"])
def test_no_file_is_opened_through_a_link(tmp_path: Path, which: str) -> None:
    held = instance()
    release(held)
    precious = tmp_path / "precious"
    precious.write_text("all I have")
    file = next(each for each in held.directory.iterdir() if which in each.name)
    file.unlink()
    file.symlink_to(precious)

    with pytest.raises(OSError):  # noqa: PT011 - Linux and macOS say it differently
        instance()
    assert precious.read_text() == "all I have"


def test_nothing_in_a_lock_file_is_lost(tmp_path: Path) -> None:
    folder = private_directory.open_directory(tmp_path / "own")
    (tmp_path / "own" / "x.lock").write_text("kept")

    os.close(private_directory.open_file(folder, "x.lock"))
    os.close(folder)

    assert (tmp_path / "own" / "x.lock").read_text() == "kept"
