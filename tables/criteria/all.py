"""all: every part holds."""

from typing import Literal

from typing_extensions import override

from tables.criteria.combination import Combination


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
    def summary(self) -> str:
        return " and ".join(self.said())
