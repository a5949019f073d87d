"""TypeScript's client: compiled by the real compiler, run by Node."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from tests.clients.conftest import documented
from tests.clients.documents import BAD, KEPT, examples

Run = Callable[..., CompletedProcess[str]]

SWITCH = documented("ts")
WINDOW = """
import type { CriteriaWindow } from "./criteria.js";

export function days(window: CriteriaWindow): string {
  if ("rolling_days" in window) {
    return `${window.rolling_days} days`;
  }
  return "calendar" in window ? window.calendar : `${window.from} to ${window.to}`;
}
"""
WRONG = {
    "write": 'import type { Criteria } from "./criteria.js";\n'
    "export const write = (criteria: Criteria) => { criteria.type = 'all'; };",
    "nested": 'import type { AllCriteria } from "./criteria.js";\n'
    'export const nested: AllCriteria = { type: "all", of: [{ type: "raw", criteria_raw: 1, '
    'reason: "r" }] };',
    "metric": 'import type { Criteria } from "./criteria.js";\n'
    'export const c: Criteria = { type: "threshold", metric: "cuont", at_least: 1 };',
}
ROUND_TRIP = """
import { readFileSync } from "node:fs";
import { criteriaFromJson, criteriaToJson } from "./criteria.js";

const documents = JSON.parse(readFileSync("documents.json", "utf8"));
const found = documents.map((each) => {
  try {
    return { document: criteriaToJson(criteriaFromJson(each)) };
  } catch (error) {
    return { name: error.name, path: error.path, message: error.message };
  }
});
process.stdout.write(JSON.stringify(found));
"""


def test_it_compiles_with_every_check_turned_on(compiled: Run, tmp_path: Path) -> None:
    """And the two unions are narrowed to each of their members."""
    (tmp_path / "switch.ts").write_text(SWITCH)
    (tmp_path / "window.ts").write_text(WINDOW)

    ended = compiled("--noEmit")

    assert ended.returncode == 0, ended.stdout


def test_a_switch_that_forgets_a_type_does_not_compile(compiled: Run, tmp_path: Path) -> None:
    before, _, case = SWITCH.partition('    case "tier":')
    forgetful = before + case[case.index("    case ") :]
    (tmp_path / "switch.ts").write_text(forgetful)

    ended = compiled("--noEmit")

    assert ended.returncode != 0
    assert "TierCriteria" in ended.stdout
    assert "is not assignable to type 'never'" in ended.stdout


def test_what_is_no_criteria_does_not_compile(compiled: Run, tmp_path: Path) -> None:
    for name, source in WRONG.items():
        (tmp_path / f"{name}.ts").write_text(source)

    ended = compiled("--noEmit")

    wrong = {line.partition(".ts(")[0] for line in ended.stdout.splitlines() if ".ts(" in line}
    assert wrong == set(WRONG)


def test_every_document_is_written_as_it_was_read(node: Run, compiled: Run, tmp_path: Path) -> None:
    documents = [*examples(), *KEPT]
    assert compiled().returncode == 0

    assert tried(node, tmp_path, documents) == [{"document": each} for each in documents]


def test_what_is_bad_is_refused_with_its_place(node: Run, compiled: Run, tmp_path: Path) -> None:
    assert compiled().returncode == 0

    found = tried(node, tmp_path, [document for document, _ in BAD])

    for each, (document, message) in zip(found, BAD, strict=True):
        assert each.get("name") == "CriteriaError", document
        assert each["message"].startswith(message), (document, each["message"])
        assert each["message"].startswith(each["path"])


def tried(node: Run, folder: Path, documents: Sequence[object]) -> list[dict[str, Any]]:
    """What becomes of each document that is read and written."""
    (folder / "round_trip.js").write_text(ROUND_TRIP)
    (folder / "documents.json").write_text(json.dumps(documents))
    ended = node("round_trip.js")
    assert ended.returncode == 0, ended.stderr
    found: list[dict[str, Any]] = json.loads(ended.stdout)
    return found


def test_the_packages_are_locked_and_no_registry_is_named() -> None:
    lock = (Path(__file__).parents[1] / "package-lock.json").read_text(encoding="utf-8")
    packages = json.loads(lock)["packages"]
    assert "://" not in lock
    assert {name for name, each in packages.items() if name and "integrity" not in each} == set()
