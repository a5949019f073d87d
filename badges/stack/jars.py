"""Kafka, Connect and Debezium as jars: resolved by jgo, fixed by jars.lock, checked by SHA-256.

Everything is downloaded here and nowhere else; once complete, a start needs no network.
"""

import fcntl
import hashlib
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from jgo.env import LockedDependency, LockFile
from jgo.maven import MavenContext
from jgo.parse import Coordinate

from badges.stack import versions
from streams.errors import Failure

LOCK = Path(__file__).with_name("jars.lock")
_TRIES = 3


def directory() -> Path:
    """Return where jars are kept: BADGES_JARS_DIR, else inside the virtual environment."""
    if chosen := os.environ.get("BADGES_JARS_DIR"):
        return Path(chosen).absolute()
    in_venv = sys.prefix != sys.base_prefix
    return (
        Path(sys.prefix) / "jars" if in_venv else Path.home() / ".cache" / "badge-streams" / "jars"
    )


def class_path() -> str:
    """Return the class path of every locked jar, downloading what is missing.

    Raises Failure when a download fails or a file is not what the lock says.
    """
    home = directory()
    locked = LockFile.load(LOCK).dependencies
    paths = [_path(home, jar) for jar in locked]
    done = home / f"complete-{hashlib.sha256(LOCK.read_bytes()).hexdigest()[:16]}"
    if not (done.exists() and all(path.exists() for path in paths)):
        home.mkdir(parents=True, exist_ok=True)
        with (home / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _download(home, locked)
        done.touch()
    return os.pathsep.join(str(path) for path in paths)


def write_lock() -> int:
    """Resolve the versions anew and write jars.lock; return how many jars it names."""
    context = _context(directory())
    roots = [
        context.create_dependency(replace(Coordinate.parse(jar), scope="compile"))
        for jar in versions.JARS
    ]
    named, brought = context.resolver.resolve(roots)
    found = [*named, *(jar for jar in brought if jar.scope in {"compile", "runtime"})]
    LockFile.from_resolved_dependencies(found, environment_name="stack").save(LOCK)
    return len(found)


def _path(home: Path, jar: LockedDependency) -> Path:
    classifier = f"-{jar.classifier}" if jar.classifier else ""
    name = f"{jar.artifactId}-{jar.version}{classifier}.{jar.packaging}"
    return home.joinpath(*jar.groupId.split("."), jar.artifactId, jar.version, name)


def _context(home: Path) -> MavenContext:
    mirror = os.environ.get("BADGES_MAVEN_REPOSITORY")
    remote = {"mirror": mirror.rstrip("/")} if mirror else None
    return MavenContext(repo_cache=home, remote_repos=remote, timeout=30)


def _download(home: Path, locked: list[LockedDependency]) -> None:
    context = _context(home)
    with ThreadPoolExecutor(8) as pool:
        waiting = [pool.submit(_fetch, context, home, jar) for jar in locked]
        try:
            for one in waiting:
                one.result()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _fetch(context: MavenContext, home: Path, jar: LockedDependency) -> None:
    path = _path(home, jar)
    reason = ""
    for _ in range(_TRIES):
        try:
            if not path.exists():
                project = context.project(jar.groupId, jar.artifactId)
                project.at_version(jar.version).artifact(jar.classifier or "").resolve()
            if hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256:
                return
            reason = "its SHA-256 is not the one in jars.lock"
        except (OSError, RuntimeError) as error:
            reason = str(error).splitlines()[0]
        path.unlink(missing_ok=True)
    raise Failure(
        f"cannot download {jar.groupId}:{jar.artifactId}:{jar.version}: {reason}. "
        "The first start needs the network (BADGES_MAVEN_REPOSITORY names a mirror)"
    )
