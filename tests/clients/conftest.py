"""What the command prints, and the compiler of TypeScript."""

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from typer.testing import CliRunner

from badges.cli.commands import app
from tests.stack import LIMIT_S

PAGE = Path(__file__).parents[2] / "docs" / "clients.md"
BIN = Path(sys.executable).parent
COMPILER = BIN.parent / "node" / "node_modules" / "typescript" / "bin" / "tsc"
STRICT = {
    "strict": True,
    "exactOptionalPropertyTypes": True,
    "noUncheckedIndexedAccess": True,
    "noPropertyAccessFromIndexSignature": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "verbatimModuleSyntax": True,
    "erasableSyntaxOnly": True,
    "target": "es2022",
    "module": "nodenext",
    "types": [],
}
"""Every check that an application may have turned on."""


def client(lang: str) -> str:
    """What the command prints."""
    result = CliRunner().invoke(app, ["criteria", "client", "--lang", lang])
    assert result.exit_code == 0, result.output
    return result.output


def documented(lang: str) -> str:
    """The example of a language in docs/clients.md."""
    found = re.search(f"```{lang}\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture
def node(tmp_path: Path) -> Callable[..., CompletedProcess[str]]:
    """Runs Node with some arguments, in a folder that holds TypeScript's client."""
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "tsconfig.json").write_text(json.dumps({"compilerOptions": STRICT}))
    (tmp_path / "criteria.ts").write_text(client("typescript"))

    def run(*arguments: object) -> CompletedProcess[str]:
        return subprocess.run(
            [BIN / "node", *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=LIMIT_S,
            check=False,
        )

    return run


@pytest.fixture
def compiled(node: Callable[..., CompletedProcess[str]]) -> Callable[..., CompletedProcess[str]]:
    """Runs the compiler on everything in that folder."""
    assert COMPILER.exists(), "TypeScript is not installed: run make install with the network"
    return lambda *options: node(COMPILER, *options)
