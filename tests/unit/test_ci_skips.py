"""In CI a skipped test fails the run, so that a machine that lacks a program is noticed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("reason", "ci", "expected"),
    [
        ("chromium is not installed", "1", "1 failed"),
        ("chromium is not installed", "", "1 skipped"),
        ("by design: only root can do this", "1", "1 skipped"),
    ],
)
def test_a_skip_in_ci_is_a_failure(tmp_path: Path, reason: str, ci: str, expected: str) -> None:
    test = tmp_path / "test_it.py"
    test.write_text(f"import pytest\n\ndef test_it():\n    pytest.skip({reason!r})\n")

    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "tests.conftest", str(test)],
        env={**os.environ, "BADGES_CI": ci, "PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert expected in run.stdout.splitlines()[-1]
