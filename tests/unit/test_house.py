"""Rules of the house that a linter cannot hold."""

import ast
import re
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from types import ModuleType

import pytest
from prometheus_client.metrics import MetricWrapperBase

from badges.api import metrics as api_metrics
from streams import metrics
from tables.criteria.union import TYPES
from tests.conftest import LONGEST

ROOT = Path(__file__).parents[2]

MAY_IMPORT = {
    "tables": set[str](),
    "sinks": {"tables"},
    "streams": {"tables", "sinks"},
    "schema": {"tables", "sinks", "streams"},
    "reference": {"tables", "sinks", "streams"},
    "badges": {"tables", "sinks", "streams", "schema", "reference"},
}
"""Imports go one way through the house, and none of it knows tests or benchmarks."""
ROOMS_OF_STREAMS = {
    "log": {"metrics", "errors", "log"},
    "lag": {"metrics", "errors", "log", "lag"},
    "filling": {"metrics", "errors", "log", "lag", "filling"},
}
"""What of streams/ these may import: a worker reads the log, and they know of no worker."""
PURE_MAY_NOT_IMPORT = {
    "asyncio", "asyncpg", "aiokafka", "faust", "httpx", "io", "logging", "os", "pathlib", "random",
    "socket", "subprocess", "sys", "time", "threading",
}  # fmt: skip
REFERENCE_MAY_IMPORT = {
    "tables": {"criteria.errors", "criteria.parsing", "decisions", "types", "zones"},
    "sinks": {"base.Found", "base.Message", "pool"},
    "streams": {"log", "lag.catching_up", "errors", "records", "rule_versions"},
}
"""The words that the fold uses, and how records are fetched and decoded: nothing that decides."""
LONGEST_FILE = 400


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def nodes(path: Path) -> tuple[ast.AST, ...]:
    return tuple(ast.walk(parsed(path)))


@cache
def sources() -> list[Path]:
    return sorted(path for room in MAY_IMPORT for path in (ROOT / room).rglob("*.py"))


@cache
def imported_modules(path: Path) -> tuple[str, ...]:
    return tuple(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in nodes(path):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide which room is entered"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def test_imports_go_one_way() -> None:
    for path in sources():
        own = path.relative_to(ROOT).parts
        for module in imported_modules(path):
            room, *inside = module.split(".")
            if room in {*MAY_IMPORT, "tests", "bench"} and room != own[0]:
                assert room in MAY_IMPORT[own[0]], f"{path} must not import {module}"
            if own[0] == "streams" and own[1] in ROOMS_OF_STREAMS and room == "streams":
                assert inside[0] in ROOMS_OF_STREAMS[own[1]], f"{path} must not import {module}"


def test_no_worker_makes_or_fills_a_log() -> None:
    of_workers = [
        path for path in (ROOT / "streams").rglob("*.py") if path.parent.name != "filling"
    ]
    for path in (*of_workers, ROOT / "badges" / "worker_process.py"):
        for module in imported_modules(path):
            assert not module.startswith("streams.filling"), f"{path} must not import {module}"


def room_of(path: Path) -> tuple[str, ...]:
    """A package at the top, or one of those in badges/, which faces each kind of people apart."""
    own = path.relative_to(ROOT).parts
    return own[:2] if own[0] == "badges" and len(own) > 2 else own[:1]


def test_no_room_holds_more_than_three_tenths_of_the_code() -> None:
    lines = Counter[tuple[str, ...]]()
    for path in sources():
        lines[room_of(path)] += len(path.read_text().splitlines())
    room, most = lines.most_common(1)[0]
    assert most <= 0.3 * lines.total(), room


FACES = {
    "cli": {
        "api",
        "catalogue",
        "clients",
        "demo",
        "doctor",
        "privacy",
        "queries",
        "stack",
        "upkeep",
    },
    "api": {"pages", "queries"},
    "catalogue": {"queries"},
    "clients": set[str](),
    "demo": {"stack"},
    "doctor": {"stack", "upkeep"},
    "pages": set[str](),
    "privacy": {"upkeep"},
    "queries": set[str](),
    "stack": set[str](),
    "upkeep": {"queries"},
}
"""Which rooms of badges/ each of them may enter."""
DECIDES = ("tables.ledger", "tables.evaluation", "tables.watchlist", "tables.rules", "tables.plans")
"""What queries must not know: they are the second opinion."""


def test_the_rooms_of_badges_stand_apart() -> None:
    for path in sources():
        room = room_of(path)
        for module in imported_modules(path) if len(room) > 1 else ():
            package, *inside = module.split(".")
            if package == "badges" and inside[0] in FACES and inside[0] != room[1]:
                assert inside[0] in FACES[room[1]], f"{path} must not import {module}"
            assert room[1] != "queries" or not module.startswith(DECIDES), path


ENTERED_FROM_OUTSIDE = {("streams/batching.py", "Transport")}
"""What Faust finds by its name."""


def test_what_no_other_file_uses_is_private() -> None:
    """Models are named in JSON schemas, and decorators hand functions on."""
    readers = [*sources(), *(ROOT / "tests").rglob("*.py"), *(ROOT / "bench").rglob("*.py")]
    words = {
        path: set(re.findall(r"\w+", path.read_text()))
        for path in readers
        if path != Path(__file__)
    }
    used_by = Counter(word for found in words.values() for word in found)
    public = {
        (str(path.relative_to(ROOT)), name)
        for path in sources()
        for name in module_names(path)
        if not name.startswith("_") and used_by[name] == 1
    }
    assert public == ENTERED_FROM_OUTSIDE


def test_a_class_is_one_thing_under_one_name() -> None:
    """In badges/api they may be called as what they show."""
    named = defaultdict[str, list[Path]](list)
    for path in sources():
        for node in parsed(path).body:
            is_model = path.parent == ROOT / "badges" / "api"
            if isinstance(node, ast.ClassDef) and not (is_model or node.name.startswith("_")):
                named[node.name].append(path)
    assert {name: paths for name, paths in named.items() if len(paths) > 1} == {}


def module_names(path: Path) -> Iterator[str]:
    for node in parsed(path).body:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() if not node.decorator_list:
                yield node.name
            case ast.ClassDef() if path.parent.name not in {"criteria", "api"}:
                yield node.name
            case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
                yield name


def test_no_files_import_each_other_in_a_circle() -> None:
    """Imports for types alone count too."""
    names = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in sources()}
    imports = {
        name: {
            found
            for module in imported_modules(path)
            for found in (module, module.rpartition(".")[0])
            if found in names
        }
        for name, path in names.items()
    }
    order = list(TopologicalSorter(imports).static_order())
    assert set(order) == set(names)


def test_nothing_is_imported_for_types_alone() -> None:
    """What two files cannot import from each other belongs into a third."""
    for path in sources():
        assert "typing.TYPE_CHECKING" not in imported_modules(path), path


def test_only_the_union_knows_which_types_of_criteria_there_are() -> None:
    files = {each.__module__ for each in TYPES.values()}
    assert len(files) == len(TYPES)
    union = ROOT / "tables" / "criteria" / "union.py"
    for path in sources():
        known = {module.rpartition(".")[0] for module in imported_modules(path)}
        assert path == union or not known & files, path


def test_only_a_ledger_writes_to_itself() -> None:
    for path in sources():
        for node in nodes(path):
            if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign | ast.Delete):
                continue
            targets = node.targets if isinstance(node, ast.Assign | ast.Delete) else [node.target]
            for target in targets:
                place = target
                while isinstance(place, ast.Attribute | ast.Subscript):
                    place = place.value
                    owner = getattr(place, "attr", getattr(place, "id", None))
                    assert owner != "ledger", f"{path}:{node.lineno} writes to a ledger"


@pytest.mark.parametrize("path", sorted((ROOT / "tables").rglob("*.py")), ids=lambda p: p.name)
def test_tables_do_no_io_and_read_no_clock(path: Path) -> None:
    imported = {module.split(".")[0] for module in imported_modules(path)}
    assert not imported & PURE_MAY_NOT_IMPORT
    calls = {node.attr for node in nodes(path) if isinstance(node, ast.Attribute)}
    assert not calls & {"now", "utcnow", "today"}
    names = {node.id for node in nodes(path) if isinstance(node, ast.Name)}
    assert not names & {"open", "print", "input"}


def test_a_partition_waits_for_nothing() -> None:
    imported = {
        module.split(".")[0] for module in imported_modules(ROOT / "streams" / "partition.py")
    }
    assert not imported & PURE_MAY_NOT_IMPORT


@pytest.mark.parametrize(
    "path",
    sorted((ROOT / "reference").glob("*.py")),
    ids=lambda p: p.name,
)
def test_the_reference_shares_nothing_with_the_fold(path: Path) -> None:
    for module in imported_modules(path):
        room, *inside = module.split(".")
        if room in REFERENCE_MAY_IMPORT:
            allowed = REFERENCE_MAY_IMPORT[room]
            assert inside[0] in allowed or ".".join(inside[:2]) in allowed, (
                f"the reference must not import {module}"
            )


def test_a_file_has_one_screenful_of_idea() -> None:
    for path in sources():
        assert len(path.read_text().splitlines()) <= LONGEST_FILE, path
        assert ast.get_docstring(parsed(path)), f"{path} says at its top what it is about"


def test_every_package_is_listed_for_the_wheel() -> None:
    listed = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    found = {".".join(path.parent.relative_to(ROOT).parts) for path in sources()}
    assert set(listed) == found


def test_the_wheel_has_no_class_that_only_tests_and_benchmarks_use() -> None:
    """Such doubles stand in tests/doubles."""
    all_nodes = [node for path in sources() for node in nodes(path)]
    used = {node.id for node in all_nodes if isinstance(node, ast.Name)}
    used |= {node.attr for node in all_nodes if isinstance(node, ast.Attribute)}
    assert {node.name for node in all_nodes if isinstance(node, ast.ClassDef)} <= used


def test_the_longest_test_files_are_there() -> None:
    assert [file for file in LONGEST if not (ROOT / file).is_file()] == []


def test_a_unit_test_starts_no_process() -> None:
    """Those that do are in tests/processes: a start of Python takes as long as many a test."""
    for path in (ROOT / "tests" / "unit").rglob("*.py"):
        named = {node.arg for node in nodes(path) if isinstance(node, ast.arg)}
        assert not {"subprocess", "multiprocessing"} & set(imported_modules(path)), path
        assert not {"pytester", "launcher"} & named, path


def test_time_zones_come_from_one_place() -> None:
    for path in sources():
        if any(module.startswith("zoneinfo") for module in imported_modules(path)):
            assert path == ROOT / "tables" / "zones.py"


def test_metrics_are_named_in_one_place() -> None:
    for path in sources():
        if any(module.startswith("prometheus_client") for module in imported_modules(path)):
            assert path.name in {"metrics.py", "worker_process.py"}, path


@pytest.mark.parametrize("module", [metrics, api_metrics])
def test_every_metric_is_counted_somewhere(module: ModuleType) -> None:
    found = vars(module).items()
    names = {n for n, each in found if n.isupper() and isinstance(each, MetricWrapperBase)}
    counted = set[str]()
    for path in sources():
        for node in nodes(path):
            if isinstance(node, ast.Attribute) and getattr(node.value, "id", "") == "metrics":
                counted.add(node.attr)
            elif isinstance(node, ast.ImportFrom) and str(node.module).endswith("metrics"):
                counted.update(alias.name for alias in node.names)
    assert names
    assert names <= counted
