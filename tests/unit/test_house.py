"""Rules of the house that a linter cannot hold."""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from badges.telemetry import metrics

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "badges"

MAY_IMPORT = {
    "tables": set[str](),
    "telemetry": set[str](),
    "sinks": {"tables", "telemetry"},
    "streams": {"tables", "sinks", "telemetry"},
    "console": {"tables", "sinks", "streams", "telemetry"},
}
THINKING_MAY_NOT_IMPORT = {
    "asyncio", "asyncpg", "aiokafka", "faust", "httpx", "io", "logging", "os", "pathlib", "random",
    "socket", "subprocess", "sys", "time", "threading",
}  # fmt: skip
PROOF_MAY_IMPORT = {
    "tables": {"criteria", "decisions", "types", "zones"},
    "sinks": {"pool"},
    "streams": {"generations", "kafka", "records", "rule_versions", "wal"},
    "console": {"problems", "proof"},
}
"""The words that the fold uses and how a record is decoded, but nothing that the fold thinks."""
LONGEST_FILE = 400


def sources() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(path: Path) -> str | None:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room is entered"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_go_one_way(path: Path) -> None:
    room = room_of(path)
    if room is None:
        return
    for module in imported_modules(path):
        parts = module.split(".")
        if parts[0] == "badges" and len(parts) > 1 and parts[1] != room:
            assert parts[1] in MAY_IMPORT[room], f"{room} must not import {module}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "tables").glob("*.py")), ids=lambda p: p.name)
def test_the_thinking_room_does_no_io_and_reads_no_clock(path: Path) -> None:
    imported = {module.split(".")[0] for module in imported_modules(path)}
    assert not imported & THINKING_MAY_NOT_IMPORT
    calls = {
        node.attr
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute)
    }
    assert not calls & {"now", "utcnow", "today"}
    names = {
        node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)
    }
    assert not names & {"open", "print", "input"}


def test_a_partition_waits_for_nothing() -> None:
    imported = {
        module.split(".")[0] for module in imported_modules(PACKAGE / "streams" / "partition.py")
    }
    assert not imported & THINKING_MAY_NOT_IMPORT


@pytest.mark.parametrize(
    "path", sorted((PACKAGE / "console" / "proof").glob("*.py")), ids=lambda p: p.name
)
def test_the_proof_shares_no_thought_with_the_fold(path: Path) -> None:
    for module in imported_modules(path):
        package, room, name, *_ = [*module.split("."), "", ""]
        if package == "badges":
            assert name in PROOF_MAY_IMPORT[room], f"the proof must not import {module}"


@pytest.mark.parametrize("path", sources(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_has_one_screenful_of_idea(path: Path) -> None:
    source = path.read_text()
    assert len(source.splitlines()) <= LONGEST_FILE
    assert ast.get_docstring(ast.parse(source)), "a file says at its top what it is about"


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in PACKAGE.rglob("__init__.py")}
    assert set(listed) == found


def test_time_zones_come_from_one_place() -> None:
    for path in sources():
        if any(module.startswith("zoneinfo") for module in imported_modules(path)):
            assert path == PACKAGE / "tables" / "zones.py"


def test_metrics_are_named_in_one_place() -> None:
    for path in sources():
        if any(module.startswith("prometheus_client") for module in imported_modules(path)):
            assert path.parent.name in {"telemetry", "api", "console"}, path


def test_every_metric_is_counted_somewhere() -> None:
    names = {name for name in vars(metrics) if name.isupper()}
    used = {
        node.attr
        for path in sources()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "metrics"
    }
    assert names
    assert names <= used
