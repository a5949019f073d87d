"""`badges doctor` as people run it: the whole healthy stack, what is away, --fix, --report."""

import json
from functools import partial
from pathlib import Path
from typing import Any

from tests.integration.commands import Command
from tests.integration.pipeline import Pipeline, Rig
from tests.integration.serving import served


async def doctor(p: Pipeline, *arguments: str, **settings: str) -> tuple[int, Any, str]:
    """The exit code of `badges doctor --json`, what it prints, and its standard error."""
    command = await Command(p, "doctor", "--json", *arguments, **settings).start()
    code, out, err = await command.end()
    return code, json.loads(out), err


def troubles(answer: Any) -> dict[str, str]:
    """The status of each check that is not ok, by its id."""
    return {each["id"]: each["status"] for each in answer["checks"] if each["status"] != "ok"}


def test_a_whole_stack_is_ok_in_every_line(working: Rig, tmp_path: Path) -> None:
    page = tmp_path / "page.md"

    async def is_well(p: Pipeline, address: str) -> bool:
        code, answer, err = await doctor(
            p, "--report", str(page), "--timeout", "60",
            BADGES_API_URL=address, BADGES_CHECKPOINTS=str(tmp_path / "checkpoints"),
        )  # fmt: skip
        print(err, json.dumps(answer, indent=1))
        return code == 0 and troubles(answer) == {} and answer["unasked"] == {}

    async def test(p: Pipeline) -> None:
        await p.settle()
        with served(p) as address:
            await p.until(partial(is_well, p, address), what="a stack that is well")
        text = page.read_text()
        assert "| probe | ok |" in text

    working.run(test)
