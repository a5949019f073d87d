"""How soon criteria are judged, with many clients at once."""

from bench.api import answered, request
from bench.definitions import CRITERIA
from bench.figures import Figure
from bench.site import Bench


def measure(bench: Bench) -> list[Figure]:
    """Twenty documents in turn, some of which name badges, courses and activity types."""
    requests = [
        request("admin", "POST", "/v1/criteria/validate", {"version": 1, **criteria})
        for criteria in CRITERIA
    ]
    return answered("validate", bench.api.service, requests, "criteria judged", bench.size(10, 2))
