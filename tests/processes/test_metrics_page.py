"""docs/metrics.md is what processes register that have counted nothing yet."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_page_is_what_the_processes_register() -> None:
    made = subprocess.run(
        [sys.executable, "-m", "tests.metrics_page"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        encoding="utf-8",
    ).stdout
    assert "| `badges_awards_total` | counter |" in made
    page = (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8")
    assert page == made, "python -m tests.metrics_page > docs/metrics.md"
