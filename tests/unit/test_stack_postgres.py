"""Where root keeps the database's data when its other user may not enter the checkout."""

import os
from pathlib import Path

import pytest

from badges.stack import postgres
from badges.stack.layout import Layout
from streams.errors import Failure

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="by design: only root gives its rights away"
)


@pytest.fixture
def layout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Layout:
    """A run directory that is closed to others, and a shared folder of the test's own."""
    shared = tmp_path / "shared"
    shared.mkdir()
    monkeypatch.setattr(postgres, "SHARED", shared)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    return Layout(closed / "run", 25000)


def test_the_folder_has_a_name_made_from_the_run_directory(layout: Layout) -> None:
    home = postgres._home(layout)

    assert home.parent == postgres.SHARED
    assert home != postgres._home(Layout(layout.run_dir / "other", 25000))


@pytest.mark.parametrize("how", ["owner", "mode", "link", "dangling"])
def test_a_folder_that_somebody_else_made_is_refused(layout: Layout, how: str) -> None:
    home = postgres._home(layout)
    if how == "link":
        home.symlink_to(layout.run_dir.parent)
    elif how == "dangling":
        home.symlink_to(layout.run_dir / "nowhere")
    else:
        home.mkdir(mode=0o755)
        if how == "owner":
            os.chown(home, 65534, 65534)
        else:
            home.chmod(0o777)

    for use in (postgres.command, postgres.remove):
        with pytest.raises(Failure, match=r"was not made by root, or others may write to it\."):
            use(layout)
    with pytest.raises(Failure, match="BADGES_RUN_DIR"):
        postgres.prepare(layout, "secret")


def test_the_password_is_not_written_through_a_link(tmp_path: Path) -> None:
    precious, path = tmp_path / "precious", tmp_path / "password"
    precious.write_text("all I have")
    path.symlink_to(precious)

    postgres._write_secret(path, "secret", 65534)

    assert precious.read_text() == "all I have"
    assert precious.stat().st_uid == 0
    assert path.read_text() == "secret\n"
    assert (path.stat().st_uid, path.stat().st_mode & 0o777) == (65534, 0o600)
