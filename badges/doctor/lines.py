"""What doctor says: results of one check, and the lines that people and programs read."""

from collections.abc import Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct

Status: TypeAlias = Literal["ok", "warning", "failed"]
Area: TypeAlias = Literal[
    "this host", "Postgres", "schema", "Kafka", "Kafka Connect", "log", "workers", "rules",
    "waiting", "API", "flow",
]  # fmt: skip
"""What lines are grouped by, in the order in which they are shown."""
Safe: TypeAlias = Literal["migrate", "topics", "provision"]
"""What `--fix` may do: each mends, takes nothing away that is in use, and may be done again.

`provision` removes what is left of generations of the log that are over, unless they are kept.
"""


class CheckResult(Struct, frozen=True):
    """What a check found about one subject.

    `fix` is the command or statement that mends it. `words` repeats what somebody else wrote, which
    may tell of people, so it stays out of a report. `safe` is what `--fix` does about it.
    """

    status: Status
    subject: str
    message: str
    fix: str | None = None
    words: str = ""
    safe: Safe | None = None


class Line(Struct, frozen=True):
    """A result of the check `id`."""

    id: str
    area: Area
    result: CheckResult

    @property
    def failed(self) -> bool:
        return self.result.status == "failed"

    @property
    def sentence(self) -> str:
        """All that is said, others' words included."""
        words = self.result.words
        return f"{self.result.message}: {words}" if words else self.result.message

    def told(self) -> Mapping[str, Any]:
        """The line as `--json` prints it."""
        return {
            "id": self.id,
            "area": self.area,
            "status": self.result.status,
            "subject": self.result.subject,
            "message": self.sentence,
            "fix": self.result.fix,
        }


def ok(subject: str, message: str) -> CheckResult:
    return CheckResult("ok", subject, message)


def warning(
    subject: str, message: str, fix: str | None, *, words: str = "", safe: Safe | None = None
) -> CheckResult:
    return CheckResult("warning", subject, message, fix, words, safe)


def failed(
    subject: str, message: str, fix: str | None, *, words: str = "", safe: Safe | None = None
) -> CheckResult:
    return CheckResult("failed", subject, message, fix, words, safe)
