"""all: every part holds."""

from typing import Literal

from typing_extensions import override

from tables.criteria.combination import AND, Combination
from tables.languages import Language


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
        return AND(language).join(self.said(language))
