"""Awards that one mentor holds twice, which only the lack of the unique constraint allows."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sinks.pool import Executor
from sinks.queries import QUERIES

NAMED_AT_MOST = 20


@dataclass(frozen=True)
class Duplicate:
    """An award of a mentor and definition, and the earlier one of theirs that stays."""

    id: str
    peer_mentor_id: str
    badge_definition_id: str
    earned_at: datetime
    kept_id: str

    def sentence(self) -> str:
        return (
            f"award {self.id}: mentor {self.peer_mentor_id} holds badge "
            f"{self.badge_definition_id} by the earlier award {self.kept_id}."
        )


async def find(connection: Executor) -> list[Duplicate]:
    rows = await connection.fetch(QUERIES["duplicate_awards"])
    return [Duplicate(**dict(row.items())) for row in rows]


def detail(found: Sequence[Duplicate]) -> dict[str, object]:
    return {
        "number": len(found),
        "rows": [
            {
                "id": each.id,
                "kept_id": each.kept_id,
                "peer_mentor_id": each.peer_mentor_id,
                "badge_definition_id": each.badge_definition_id,
            }
            for each in found[:NAMED_AT_MOST]
        ],
    }
