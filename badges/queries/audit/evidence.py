"""What the evidence of an award proves, read without the fold that wrote it."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Struct

from tables.criteria.base import Criterion


class _Evidence(Struct, frozen=True):
    """Evidence as the rule writes it; people write what they like."""

    definition_version: int
    rows: list[str]
    counts: dict[str, int]
    position: dict[str, int | str]


_DECODER: Final = msgspec.json.Decoder(_Evidence)


def read_evidence(text: str) -> _Evidence | None:
    """Evidence that the rule wrote; None for any other."""
    try:
        return _DECODER.decode(text)
    except msgspec.DecodeError:
        return None


def falls_short(evidence: _Evidence, criteria: Criterion) -> bool:
    """Whether what was counted is less than criteria of the version that it names ask for."""
    return not _enough(criteria, "$", evidence.counts)


def _enough(criteria: Criterion, path: str, counts: Mapping[str, int]) -> bool:
    if criteria.parts:
        amount = sum(
            _enough(part, f"{path}.of[{index}]", counts)
            for index, part in enumerate(criteria.parts)
        )
    else:
        amount = counts.get(path, 0)
    # Of tiers the lowest is asked for; everything else asks for the same, whoever has how much.
    return amount >= criteria.needed(0)
