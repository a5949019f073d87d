"""Criteria documents, valid and invalid, and what everybody is told of each: data for tests."""

import json
from pathlib import Path
from typing import Any, Final

_FILE: Final = Path(__file__).with_suffix(".json")

VERDICTS: Final[list[dict[str, Any]]] = json.loads(_FILE.read_text(encoding="utf-8"))
"""Each has a `name`, a `document` or its `text`, and of the verdict all that is answered."""


def text_of(case: dict[str, Any]) -> str:
    """The document of a case as somebody would send it."""
    return str(case["text"]) if "text" in case else json.dumps(case["document"])


def verdict_of(case: dict[str, Any]) -> dict[str, Any]:
    """What everybody is told of it, in English."""
    return {key: case[key] for key in ("valid", "errors", "warnings", "summary")}
