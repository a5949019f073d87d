"""What an evaluation returns: data that says what to write, and why. It does no I/O."""

from collections.abc import Mapping
from datetime import datetime
from hashlib import sha1
from typing import Any, Literal, TypeAlias
from uuid import UUID

from msgspec import Struct

from tables.types import Award

Kind: TypeAlias = Literal["granted", "promoted", "revoked", "restored", "withdrawn"]
Source: TypeAlias = Literal["stream", "replay"]

AWARD_NAMESPACE = UUID("6f2a3c1e-5d0b-5c54-9a53-2f8f6d1f1b7a")


class Cause(Struct, frozen=True):
    """Where in the log a decision was made.

    A row is its record's offset. New versions of definitions or time zones take effect before
    the record at `offset`, in the worker's turn `turn`; for a row, `turn` is None, because the
    bounds of a batch must not show in its outcome. `xid` is the row's transaction (source.txId), if
    known.
    """

    log_id: str
    partition: int
    offset: int
    turn: int | None = None
    xid: int | None = None

    @property
    def source(self) -> Source:
        """What badge_award_events records: a row, or versions and the log's start."""
        return "stream" if self.turn is None else "replay"

    def award_id(self, peer_mentor_id: str, badge_definition_id: str) -> str:
        """The id of the award granted here: the same whenever the same log is folded again."""
        place = f"{self.log_id}/{self.partition}/{self.offset}/{self.turn or ''}"
        name = f"{peer_mentor_id}/{badge_definition_id}/{place}"
        # What uuid.uuid5 gives, in a third of the time.
        h = sha1(AWARD_NAMESPACE.bytes + name.encode(), usedforsecurity=False).hexdigest()
        variant = "89ab"[int(h[16], 16) & 3]
        return f"{h[:8]}-{h[8:12]}-5{h[13:16]}-{variant}{h[17:20]}-{h[20:32]}"


class Decision(Struct, frozen=True):
    """One change to one award.

    `believed` is the row as the fold holds it before (None when granted); the sink updates only a
    row that still is that. `after` is the row as it shall be. `evidence` accompanies grants.
    `withdrawn` takes back a row that cannot be: somebody had written another in its place before it
    was granted, and the worker was behind. It is no event of the award's.

    `definition_version` is the version that decided, which a promotion does not write to the row.
    `caused_at` is when the row that caused it was committed, if a row did.
    """

    kind: Kind
    cause: Cause
    believed: Award | None
    after: Award
    definition_version: int
    evidence: Mapping[str, Any] | None = None
    caused_at: datetime | None = None
