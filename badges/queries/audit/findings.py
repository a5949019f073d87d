"""What an audit finds: results that are not what the source tables say they should be."""

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

FindingKind: TypeAlias = Literal["missing", "extra", "date", "tier", "revocation", "stats"]

WAITS: Final = "what was decided waits, because Postgres refuses to write it"
"""The reason of what is explained so."""


class Finding(Struct, frozen=True):
    """One award, or one stats row, with what it should be and what it is, as JSON has it.

    `expected` is None where there should be nothing, `found` where there is nothing. Stats belong
    to no definition.
    """

    kind: FindingKind
    peer_mentor_id: UUID
    badge_definition_id: UUID | None
    expected: Mapping[str, Any] | None
    found: Mapping[str, Any] | None
    reason: str
    """A sentence for people: why this is wrong, or, of one that is explained, why it is not."""

    @property
    def subject(self) -> tuple[FindingKind, UUID, UUID | None]:
        """What it is about: an audit has one finding of each at most."""
        return self.kind, self.peer_mentor_id, self.badge_definition_id


class Checked(Struct, frozen=True):
    """How much was compared."""

    mentors: int = 0
    awards: int = 0
    stats: int = 0


class Audit(Struct, frozen=True):
    """What there is to mend, and what differs for a reason that its evidence shows."""

    checked: Checked
    findings: list[Finding]
    explained: list[Finding]
