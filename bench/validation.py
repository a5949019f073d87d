"""How soon criteria are judged, with many clients at once."""

from statistics import median, quantiles

from bench.api import CLIENTS, ask, request, serving
from bench.definitions import CRITERIA
from bench.figures import Figure
from bench.site import Bench


def measure(bench: Bench) -> list[Figure]:
    """Twenty documents in turn, some of which name badges, courses and activity types."""
    requests = [
        request("admin", "POST", "/v1/criteria/validate", {"version": 1, **criteria})
        for criteria in CRITERIA
    ]
    with serving(bench) as (service, _):
        alone, _ = ask(service, requests, 1, bench.size(3, 1))
        together, rate = ask(service, requests, CLIENTS, bench.size(10, 2))
    return [
        Figure("validate_alone_p50", 1000 * median(alone), "ms", "criteria judged, one client"),
        Figure("validate_rate", rate, "requests/s", "with 50 clients"),
        Figure("validate_p50", 1000 * median(together), "ms", "with 50 clients"),
        Figure("validate_p99", 1000 * quantiles(together, n=100)[98], "ms", "with 50 clients"),
    ]
