"""The union: every type of criteria that there is."""

from typing import Final

from tables.criteria.all import All
from tables.criteria.any import AnyOf
from tables.criteria.badges import Badges
from tables.criteria.base import Criterion
from tables.criteria.raw import Raw
from tables.criteria.streak import Streak
from tables.criteria.threshold import Threshold
from tables.criteria.tier import Tier
from tables.criteria.training import Training

TYPES: Final[dict[str, type[Criterion]]] = {
    "threshold": Threshold,
    "streak": Streak,
    "training": Training,
    "badges": Badges,
    "all": All,
    "any": AnyOf,
    "tier": Tier,
    "raw": Raw,
}
"""By the names that documents call them by, in the order in which messages list them."""
