"""How many times a second /progress answers, and how soon, with many clients at once."""

from statistics import median, quantiles

from bench.api import CLIENTS, ask, request, serving
from bench.figures import Figure
from bench.site import Bench


def measure(bench: Bench) -> list[Figure]:
    """Of each mentor in turn, on a database of 400 with 500 activities each and twenty badges."""
    with serving(bench) as (service, mentors):
        requests = [
            request("coordinator", "GET", f"/v1/peer-mentors/{mentor}/progress")
            for mentor in mentors
        ]
        alone, _ = ask(service, requests, 1, bench.size(5, 1))
        together, rate = ask(service, requests, CLIENTS, bench.size(15, 2))
    return [
        Figure(
            "progress_alone_p50",
            1000 * median(alone),
            "ms",
            "/progress of 20 badges for a mentor with 500 activities, one client",
        ),
        Figure("progress_rate", rate, "requests/s", "with 50 clients"),
        Figure("progress_p50", 1000 * median(together), "ms", "with 50 clients"),
        Figure("progress_p99", 1000 * quantiles(together, n=100)[98], "ms", "with 50 clients"),
    ]
