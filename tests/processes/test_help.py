"""`badges --help` is a list of what people do, and shells complete it; neither imports commands."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from badges.cli import commands
from badges.cli.commands import COMMANDS, GROUPS

LINES = [
    pytest.param(name, line, id=name) for named in GROUPS.values() for name, line in named.items()
]
COMPLETED = """
eval "$(badges --show-completion)"
complete -p badges
COMP_WORDS=({words}) COMP_CWORD={place}
_badges_completion {program}
echo "${{COMPREPLY[@]}}"
"""


def shell(script: str, **variables: str) -> str:
    """What bash prints of a script, in which `badges` is the command of this Python."""
    beside = Path(sys.executable).parent
    environment = {**os.environ, "PATH": f"{beside}:{os.environ['PATH']}", **variables}
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_help_lists_each_command_in_one_line_of_its_group() -> None:
    panels: dict[str, dict[str, str]] = {}
    for line in shell("badges --help", COLUMNS="80").splitlines():
        if line.startswith("╭─"):
            panels[line.strip("╭─╮ ")] = {}
        elif line.startswith("│"):
            name, _, said = line.strip("│ ").partition(" ")
            [*panels.values()][-1][name] = said.strip()

    assert {"--version", "--help"} <= panels.pop("Options").keys()
    assert panels == GROUPS
    assert [*panels] == ["Set up", "Run", "Look", "Define", "Mend"]


@pytest.mark.parametrize(("name", "line"), LINES)
def test_a_commands_own_help_begins_with_that_line(
    name: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.run([name, "--help"]) == 0

    usage, _, rest = capsys.readouterr().out.strip().partition("\n")
    assert usage.strip().startswith(f"Usage: badges {name}")
    assert rest.strip().splitlines()[0].strip() == line


def test_help_imports_no_command() -> None:
    script = (
        "import sys; from badges.cli import commands; commands.run(['--help']); "
        "print(*(name for name in sys.modules if name.startswith('badges.cli.')), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert done.stderr.split() == ["badges.cli.commands"]


@pytest.mark.parametrize("program", ["badges", str(Path(sys.executable).parent / "badges")])
@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("d", [name for name in COMMANDS if name.startswith("d")]),
        ("dead-letters ''", ["list", "retry", "drop"]),
        ("lag --o", ["--once"]),
    ],
)
def test_bash_completes_commands_and_their_options(
    program: str, words: str, found: list[str]
) -> None:
    place = len(words.split())
    script = COMPLETED.format(words=f"{program} {words}", place=place, program=program)

    completes, said = shell(script).splitlines()

    assert completes.endswith("_badges_completion badges")
    assert sorted(said.split()) == sorted(found)


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_are_told_each_command_and_its_line(name: str) -> None:
    said = shell(
        "badges",
        _BADGES_COMPLETE=f"complete_{name}",
        _TYPER_COMPLETE_ARGS="badges la",
        _TYPER_COMPLETE_FISH_ACTION="get-args",
    )

    assert "lag" in said
    assert GROUPS["Look"]["lag"] in said
    assert "migrate" not in said
