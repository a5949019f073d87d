"""What somebody waits for who looks by command: seconds from Enter to the end of the process."""

import os
import subprocess
import sys
import time
from statistics import median

from bench.figures import Figure, Target
from bench.live import live
from bench.site import Bench
from tests.integration.pipeline import Pipeline

MENTORS = 100


def measure(bench: Bench) -> list[Figure]:
    """Run each command several times beside a worker that has nothing to do."""
    times = bench.size(9, 2)
    with live(bench, mentors=MENTORS) as (rig, _):
        alone = _seconds(rig.pipeline, times, "--version")
        return [
            Figure(
                "lag_once",
                _seconds(rig.pipeline, times, "lag", "--once", "--json"),
                "s",
                f"median of {times} runs of `badges lag --once`, all of it on the same cores",
                baseline=alone,
                target=Target(at_most=5),
            ),
            Figure(
                "doctor",
                _seconds(rig.pipeline, times, "doctor", "--json"),
                "s",
                f"median of {times} runs of `badges doctor` where all is well, on the same cores",
                baseline=alone,
            ),
        ]


def _seconds(pipe: Pipeline, times: int, *arguments: str) -> float:
    """The median duration of a command that succeeds."""
    environment = {
        **os.environ,
        **pipe.stack.environment(pipe.owner_url),
        "BADGES_PREFIX": pipe.site.prefix,
        "BADGES_PARTITIONS": str(pipe.site.partitions),
    }
    # The connector's configuration is that of a site of a test's own.
    line = [sys.executable, "-m", "tests.own_site_command", *arguments]
    took = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run(line, env=environment, check=True, stdout=subprocess.DEVNULL)
        took.append(time.perf_counter() - began)
    return median(took)
