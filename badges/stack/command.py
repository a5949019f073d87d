"""The launcher's command line; make calls it."""

import argparse
import sys

from badges import logs, spelling
from badges.reporting import report, unusable
from badges.stack import (
    docker,
    jars,
    java,
    launch,
    layout,
    processes,
    secrets,
    services,
    supervisor,
)
from badges.stack.infra import Infra
from badges.starting import INTERRUPTED
from streams.errors import Failure


def main() -> int:
    """Run one action and return the exit code; an error is one line on stderr."""
    parser = argparse.ArgumentParser(prog="python -m badges.stack", description=__doc__)
    parser.add_argument("action", choices=("up", "down", "clean", "install", "lock", "supervise"))
    parser.add_argument("--infra", action="store_true", help="only Postgres, Kafka and Connect")
    chosen = parser.parse_args()
    spelling.warn(layout.VARIABLES)
    # Who does not answer yet is asked again, and told of in one line if that does not help.
    logs.configure(level="CRITICAL")
    try:
        _run(chosen.action, only_infra=chosen.infra)
    except Failure as problem:
        return report(problem)
    except OSError as error:
        return report(unusable(error))
    except KeyboardInterrupt:
        print("badges: interrupted; make down stops what was started", file=sys.stderr)
        return INTERRUPTED
    return 0


def _run(action: str, *, only_infra: bool) -> None:
    if action == "install":
        jars.class_path()
        java.share_classes()
    elif action == "lock":
        _tell(f"{jars.LOCK.name}: {jars.write_lock()} jars")
    elif action == "supervise":
        place = layout.load()
        supervisor.supervise(Infra(place, secrets.load(place.run_dir), services.prefix()))
    elif action == "up":
        _up(layout.load(), only_infra=only_infra)
    else:
        _end(layout.load(), with_data=action == "clean")


def _up(place: layout.Layout, *, only_infra: bool) -> None:
    if docker.asked_for():
        docker.up(place, _tell)
        return
    if docker.run(place):
        raise Failure(f"containers of {place.run_dir} run", hint="make down first")
    launch.up(place, _tell, only_infra=only_infra)


def _end(place: layout.Layout, *, with_data: bool) -> None:
    """End what runs, containers or processes; clean up also after what does not run any more."""
    containers, before = docker.made(place.run_dir), layout.noted(place.run_dir)
    if containers and (with_data or (before and before.stack == "docker")):
        docker.down(containers, _tell, with_data=with_data)
        if not with_data and not processes.find_all(place):
            return
    (launch.clean if with_data else launch.down)(place, _tell)


def _tell(line: str) -> None:
    print(line, flush=True)
