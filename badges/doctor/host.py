"""What belongs to the machine that doctor runs on: settings, and the folder of checkpoints."""

import os
from collections.abc import Sequence
from pathlib import Path

from badges import spelling
from badges.doctor.deployment import Deployment
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, ok, warning
from badges.stack.layout import VARIABLES
from streams import private_directory


async def _settings(_: Deployment) -> Sequence[CheckResult]:
    found = [
        warning(name, f"{name} is not a setting, so it is not in force", f"rename it to {nearest}")
        for name, nearest in spelling.misspelt(VARIABLES)
    ]
    return found or [ok("settings", "no variable looks like a misspelt one")]


async def _checkpoints(at: Deployment) -> Sequence[CheckResult]:
    """A worker makes the folder; one that is there has to be its own."""
    folder = at.chosen.checkpoints
    if folder is None:
        return [ok("checkpoints", "none are kept (BADGES_CHECKPOINTS is empty)")]
    shown = str(folder)
    if _is_there(folder):
        if private_directory.is_own(folder) and os.access(folder, os.W_OK | os.X_OK):
            return [ok(shown, "the folder is this user's own")]
        return [
            warning(
                shown,
                f"{shown} is no folder of this user's own that nobody else may write to, so a "
                "worker started here keeps no checkpoints",
                f"chmod 700 '{shown}'",
            )
        ]
    parent = next(each for each in folder.parents if _is_there(each))
    if os.access(parent, os.W_OK | os.X_OK):
        return [ok(shown, "a worker makes the folder at its start")]
    return [
        warning(
            shown,
            f"the folder is missing and cannot be made: {parent} is not for this user to write to",
            "set BADGES_CHECKPOINTS to a folder that the worker may make",
        )
    ]


def _is_there(path: Path) -> bool:
    """Whether this user finds it; what lies below a folder that it may not search is none."""
    try:
        return path.exists()
    except PermissionError:
        return False


CHECKS = (
    Check("settings", "this host", _settings),
    Check("checkpoints", "this host", _checkpoints),
)
