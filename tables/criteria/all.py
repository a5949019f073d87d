"""all: every part holds."""

from typing import Final, Literal

from typing_extensions import override

from tables.criteria.combination import Combination
from tables.languages import Language, Text

_AND: Final = Text(" and ", " og ")


class All(Combination):
    """Every part holds."""

    examples = (
        {
            "type": "all",
            "of": [
                {"type": "threshold", "metric": "count", "at_least": 2},
                {"type": "training", "courses": ["basic"]},
            ],
        },
    )

    type: Literal["all"]

    @property
    @override
    def enough(self) -> int:
        return len(self.of)

    @override
    def summary(self, language: Language = "en") -> str:
        return _AND(language).join(self.said(language))
