"""How many times a second /progress answers, and how soon, with many clients at once."""

from bench.api import answered, request
from bench.figures import Figure
from bench.site import Bench


def measure(bench: Bench) -> list[Figure]:
    """Of each mentor in turn."""
    requests = [
        request("coordinator", "GET", f"/v1/peer-mentors/{mentor}/progress")
        for mentor in bench.api.mentors
    ]
    about = "/progress of 20 badges for a mentor with 500 activities"
    return answered("progress", bench.api.service, requests, about, bench.size(15, 2))
