"""A run of the demo from a git repository: authors are mentors, commits are activities."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from uuid import UUID

from badges.demo import catalogue
from badges.demo.catalogue import DemoOrganization
from badges.demo.compose import QUIET_END
from badges.demo.world import SLUGS, DemoPerson, Moment, World, ids, insert
from streams.errors import Failure

_COMMITS_A_SECOND = 40
_TICKS_A_SECOND = 3
_MOST_PLAYED = 0.8
"""At most this share of the commits is played, as time-lapse; the older ones are history."""
_PATIENCE_S = 60
_FIELDS = ("%aI", "%ae", "%an", "%s")
UNIT, RECORD = "\x1f", "\x1e"
_CONVENTIONAL = re.compile(
    r"(feat|fix|docs|style|refactor|perf|test|build|ci|chore|revert)(?:\([^)]*\))?!?: "
)
_NAMELESS = "somebody"


@dataclass(frozen=True)
class Commit:
    """What is read of a commit. The e-mail address only tells authors apart, and is not kept."""

    day: date
    email: str
    author: str
    kind: str


def read(repository: Path) -> list[Commit]:
    """All commits that HEAD has, oldest first, merges left out. Raises Failure when there are none.

    The day is the author's own local date.
    """
    form = f"--pretty={UNIT.join(_FIELDS)}{RECORD}"
    commits = list(
        _commits(_git(repository, "log", "--no-merges", "--reverse", form).split(RECORD))
    )
    if not commits:
        raise Failure(f"{repository} has no commits yet")
    return commits


def _git(repository: Path, *arguments: str) -> str:
    """What git prints; the repository's own settings must not make it run anything else."""
    line = ["git", "-C", str(repository), "-c", "log.showSignature=false", *arguments]
    surroundings = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
    try:
        done = subprocess.run(
            line, capture_output=True, check=True, timeout=_PATIENCE_S, env=surroundings
        )
    except FileNotFoundError:
        raise Failure("git is not installed: --git needs it") from None
    except subprocess.TimeoutExpired:
        raise Failure(f"git log of {repository} takes longer than {_PATIENCE_S} s") from None
    except subprocess.CalledProcessError as error:
        said = error.stderr.decode(errors="replace").strip().splitlines() or ["no reason given"]
        raise Failure(f"git finds no history in {repository}: {said[0]}") from None
    return done.stdout.decode(errors="replace")


def _commits(records: Iterable[str]) -> Iterator[Commit]:
    """The commits; one whose date no calendar knows is left out."""
    for record in records:
        if not record.strip():
            continue
        instant, email, author, subject = record.strip("\n").split(UNIT, len(_FIELDS) - 1)
        with suppress(ValueError):
            yield Commit(date.fromisoformat(instant[:10]), email, author, kind_of(subject))


def kind_of(subject: str) -> str:
    """The conventional prefix of a commit's subject ("fix(api)!: ..." is a fix), else commit."""
    found = _CONVENTIONAL.match(subject)
    return found[1] if found else "commit"


def compose(commits: Sequence[Commit], name: str, run: int, seconds: float) -> World:
    slug = f"{SLUGS}git-{re.sub(r'[^a-z0-9]+', '-', name.lower()).strip('-') or 'repository'}"
    badges = [badge.for_organization(slug) for badge in catalogue.load(catalogue.GIT_FILE).badges]
    made = ids(name, run)
    names = {commit.email: commit.author for commit in commits}
    people = {
        email: DemoPerson(next(made), slug, author.partition("@")[0].strip() or _NAMELESS)
        for email, author in names.items()
    }
    at_most = max(1, int(len(commits) * _MOST_PLAYED)) if seconds > 0 else 0
    older = len(commits) - min(int(seconds * _COMMITS_A_SECOND), at_most)
    return World(
        [DemoOrganization(slug, name, "UTC")],
        badges,
        mentors=list(people.values()),
        rows={
            "activities": [
                (next(made), people[commit.email].id, commit.kind, commit.day, None)
                for commit in commits[:older]
            ]
        },
        script=list(_script(commits[older:], people, made, seconds)),
    )


def _script(
    commits: Sequence[Commit],
    people: Mapping[str, DemoPerson],
    made: Iterator[UUID],
    seconds: float,
) -> Iterator[tuple[float, Moment]]:
    """Tick by tick some commits in their order, in one transaction an author."""
    ticks = max(1, round(seconds * _TICKS_A_SECOND))
    size = -(-len(commits) // ticks)
    for tick, first in enumerate(range(0, len(commits), size or 1)):
        authors: dict[str, list[Commit]] = {}
        for commit in commits[first : first + size]:
            authors.setdefault(commit.email, []).append(commit)
        for email, own in authors.items():
            yield QUIET_END * tick / _TICKS_A_SECOND, _moment(people[email], own, made)


def _moment(person: DemoPerson, commits: Sequence[Commit], made: Iterator[UUID]) -> Moment:
    count = "a commit" if len(commits) == 1 else f"{len(commits)} commits"
    kinds = ", ".join(sorted({commit.kind for commit in commits}))
    save = [
        insert("activities", next(made), person.id, commit.kind, commit.day, None)
        for commit in commits
    ]
    return Moment("new", person, f"{count} ({kinds}) until {commits[-1].day}", [save])
