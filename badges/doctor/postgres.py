"""The server of the database: whether it answers itself, its settings, and our roles in it."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import asyncpg

from badges.doctor.deployment import Deployment, once
from badges.doctor.examination import Check
from badges.doctor.lines import CheckResult, failed, ok, warning
from schema.database import where
from sinks.pool import SERVER_SETTINGS

_OLDEST = 15
"""The oldest version whose publications have column lists."""

_SERVER = """
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::int / 10000 AS major,
       current_setting('wal_level') AS wal_level,
       current_setting('max_replication_slots')::int AS slots,
       (SELECT count(*) FROM pg_replication_slots)::int AS slots_used,
       current_setting('max_wal_senders')::int AS senders,
       (SELECT count(*) FROM pg_stat_replication)::int AS senders_used,
       current_setting('max_connections')::int
           - current_setting('superuser_reserved_connections')::int AS connections,
       (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int
           AS connections_used,
       pg_is_in_recovery() AS standby,
       current_setting('transaction_read_only')::boolean AS read_only,
       current_database() AS database,
       ARRAY(SELECT name FROM pg_settings
             WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit') AND setting = 'off')
           AS loses,
       (SELECT setting::bigint FROM pg_settings WHERE name = 'max_slot_wal_keep_size') AS keeps_mb
"""

_ROLES = """
SELECT rolname::text AS role, rolcanlogin AS may_log_in, rolconnlimit AS connections,
       rolvaliduntil IS NOT NULL AND rolvaliduntil <= now() AS expired
FROM pg_roles WHERE rolname = ANY ($1::text[]) ORDER BY rolname
"""

_OVERRIDES = """
SELECT coalesce(r.rolname::text, '') AS role, coalesce(d.datname::text, '') AS database,
       split_part(setting, '=', 1) AS name, substr(setting, strpos(setting, '=') + 1) AS value
FROM pg_db_role_setting s
LEFT JOIN pg_roles r ON r.oid = s.setrole LEFT JOIN pg_database d ON d.oid = s.setdatabase,
    unnest(s.setconfig) AS setting
WHERE (s.setdatabase = 0 OR d.datname = current_database())
ORDER BY 1, 2, 3
"""

_AS_AT_FIRST = "SELECT set_config(name, NULL, true) FROM pg_settings WHERE name = ANY ($1::text[])"
_FILE = """
SELECT name, current_setting(name) AS value FROM pg_settings
WHERE name = ANY ($1::text[])
  AND source IN ('configuration file', 'command line', 'environment variable')
"""

_CONNECT = "badges_connect"
_ROLES_OF_OURS = ("badges_worker", "badges_api", _CONNECT)
_TIMEOUTS = (
    "statement_timeout",
    "lock_timeout",
    "idle_in_transaction_session_timeout",
    "idle_session_timeout",
    "transaction_timeout",
)
_FEW_CONNECTIONS = 10
_SMALL_WAL_MB = 1024


async def _answers(at: Deployment) -> Sequence[CheckResult]:
    await at.open_postgres()
    return [ok("Postgres", f"answers at {where(at.chosen.database)}")]


POSTGRES = Check(
    "postgres", "Postgres", _answers, silent="start it, or set BADGES_DATABASE_URL to where it is"
)


@once
async def _server(at: Deployment) -> Mapping[str, Any]:
    row = await at.connection.fetchrow(_SERVER)
    assert row is not None
    return dict(row)


async def _pooler(at: Deployment) -> Sequence[CheckResult]:
    """Connect as a worker does. A pooler refuses its settings, or hands out pids of its own."""
    told = (
        "something stands between, such as PgBouncer: what is set for a session does not stay, and "
        "no slot can be read through it"
    )
    fix = "set BADGES_DATABASE_URL to the address of the database itself"
    try:
        session = await asyncpg.connect(
            at.chosen.database, timeout=at.limit_s, server_settings=SERVER_SETTINGS
        )
    except asyncpg.ProtocolViolationError as error:
        return [failed("BADGES_DATABASE_URL", told, fix, words=str(error.args[0]))]
    try:
        pid = await session.fetchval("SELECT pg_backend_pid()")
        if pid != session.get_server_pid():
            return [failed("BADGES_DATABASE_URL", told, fix)]
    finally:
        await session.close()
    return [ok("BADGES_DATABASE_URL", "leads to the server itself, not to a pooler")]


async def _version(at: Deployment) -> Sequence[CheckResult]:
    server = await _server(at)
    if server["major"] < _OLDEST:
        message = f"PostgreSQL {server['version']} has no column lists in publications"
        return [failed("PostgreSQL", message, f"upgrade it to {_OLDEST} or later")]
    return [ok("PostgreSQL", f"version {server['version']}")]


async def _primary(at: Deployment) -> Sequence[CheckResult]:
    if (await _server(at))["standby"]:
        message = "the server is a standby: it takes no writes, and does not say how far its WAL is"
        return [failed("Postgres", message, "set BADGES_DATABASE_URL to the primary")]
    return [ok("Postgres", "the server is the primary")]


async def _writable(at: Deployment) -> Sequence[CheckResult]:
    server = await _server(at)
    if server["read_only"]:
        message = "new transactions are read-only (default_transaction_read_only)"
        fix = f'ALTER DATABASE "{server["database"]}" RESET default_transaction_read_only;'
        return [failed("default_transaction_read_only", message, fix)]
    return [ok("Postgres", "takes writes")]


async def _durable(at: Deployment) -> Sequence[CheckResult]:
    server = await _server(at)
    found = [
        warning(
            name,
            f"{name} is off: a crash of the server may lose what was decided, and break the log",
            f'ALTER SYSTEM RESET {name}; ALTER DATABASE "{server["database"]}" RESET {name}; '
            "SELECT pg_reload_conf();",
        )
        for name in server["loses"]
    ]
    return found or [ok("Postgres", "what is committed is on the disk")]


def wal_level(server: Mapping[str, Any]) -> CheckResult:
    """Whether the WAL says enough to be decoded."""
    if server["wal_level"] != "logical":
        message = f"wal_level is {server['wal_level']}, so no row can be read from the WAL"
        fix = "ALTER SYSTEM SET wal_level = logical; and restart Postgres"
        return failed("wal_level", message, fix)
    return ok("wal_level", "logical")


def free(server: Mapping[str, Any], what: str, setting: str) -> CheckResult:
    """Whether one more of `what` (slots, senders) is to be had: `badges resnapshot` needs it."""
    total, used = server[what], server[f"{what}_used"]
    if used < total:
        return ok(setting, f"{used} of {total} are taken")
    return warning(
        setting,
        f"all {total} are taken: no new generation of the log can be filled, and a connector that "
        "loses its own cannot come back",
        f"ALTER SYSTEM SET {setting} = {total + 10}; and restart Postgres",
    )


def connections(server: Mapping[str, Any]) -> CheckResult:
    """Whether a worker that starts finds connections."""
    total, used = server["connections"], server["connections_used"]
    if total - used >= _FEW_CONNECTIONS:
        return ok("max_connections", f"{used} of {total} are taken")
    message = f"{used} of {total} are taken: whoever starts now waits"
    return warning("max_connections", message, "see pg_stat_activity for who holds them")


def wal_kept(server: Mapping[str, Any]) -> CheckResult:
    """How much WAL may wait for a connector that is away."""
    kept = server["keeps_mb"]
    if kept < 0:
        return ok("max_slot_wal_keep_size", "unlimited: the log survives any outage the disk does")
    if kept >= _SMALL_WAL_MB:
        return ok("max_slot_wal_keep_size", f"{kept} MB of WAL wait for a connector that is away")
    return warning(
        "max_slot_wal_keep_size",
        f"only {kept} MB of WAL wait for a connector that is away; after more the log is lost",
        "ALTER SYSTEM RESET max_slot_wal_keep_size; SELECT pg_reload_conf();",
    )


def _by(
    judge: Callable[[Mapping[str, Any]], CheckResult],
) -> Callable[[Deployment], Awaitable[Sequence[CheckResult]]]:
    """The question that `judge` answers by what the server says of itself."""

    async def ask(at: Deployment) -> Sequence[CheckResult]:
        return [judge(await _server(at))]

    return ask


async def _logins(at: Deployment) -> Sequence[CheckResult]:
    rows = await at.connection.fetch(_ROLES, _ROLES_OF_OURS)
    found = [each for row in rows for each in _login(dict(row))]
    return found or [ok("roles", "all three may log in")]


def _login(role: Mapping[str, Any]) -> Iterator[CheckResult]:
    name = role["role"]
    if not role["may_log_in"]:
        password = f"{name.upper()}_PASSWORD"
        message = f"{name} may not log in: it has no password of ours yet"
        yield failed(name, message, f"{password}=... badges migrate")
    if role["expired"]:
        message = f"the password of {name} has expired (VALID UNTIL)"
        yield failed(name, message, f"ALTER ROLE {name} VALID UNTIL 'infinity';")
    if role["connections"] >= 0:
        message = f"{name} may have {role['connections']} connections at once: a worker takes up to"
        yield warning(
            name,
            f"{message} 4 more than its partitions, the API BADGES_API_CONNECTIONS",
            f"ALTER ROLE {name} CONNECTION LIMIT -1;",
        )


@once
async def _overrides(at: Deployment) -> Sequence[Mapping[str, Any]]:
    return [dict(row) for row in await at.connection.fetch(_OVERRIDES)]


def _reset(override: Mapping[str, Any]) -> str:
    """The statement that takes back what was set for a role, a database, or one in the other."""
    role, database, name = override["role"], override["database"], override["name"]
    if not role:
        return f'ALTER DATABASE "{database}" RESET {name};'
    place = f' IN DATABASE "{database}"' if database else ""
    return f'ALTER ROLE "{role}"{place} RESET {name};'


async def _timeouts(at: Deployment) -> Sequence[CheckResult]:
    async with at.connection.transaction():
        # Without what this session has set itself, until the transaction ends.
        await at.connection.execute(_AS_AT_FIRST, _TIMEOUTS)
        server = {row["name"]: row["value"] for row in await at.connection.fetch(_FILE, _TIMEOUTS)}
    found = [*timeouts(await _overrides(at), server)]
    return found or [ok("roles", "no statement, lock or idle timeout ends sessions of our roles")]


def timeouts(
    overrides: Sequence[Mapping[str, Any]], server: Mapping[str, str]
) -> Iterator[CheckResult]:
    """What ends the sessions of our roles; 0 is none. `server` has what the server's files say."""
    for each in overrides:
        if each["role"] in _ROLES_OF_OURS and each["name"] in _TIMEOUTS and each["value"] != "0":
            yield warning(
                each["role"],
                f"{each['role']} has {each['name']} = {each['value']}: our programs set their own, "
                "all other sessions of the role are ended by it",
                _reset(each),
            )
    for name in _TIMEOUTS:
        value, place = _inherited(name, overrides, server)
        if value != "0":
            yield warning(
                _CONNECT,
                f"{name} = {value} is set for {place}: sessions of {_CONNECT}, which Kafka Connect "
                "opens and sets nothing for, are ended by it",
                # What is set for others is the application's.
                f"ALTER ROLE {_CONNECT} SET {name} = 0;",
            )


def _inherited(
    name: str, overrides: Sequence[Mapping[str, Any]], server: Mapping[str, str]
) -> tuple[str, str]:
    """What a session of badges_connect has where nothing is set for that role, and for whom."""
    of_it = [each for each in overrides if each["name"] == name]
    if any(each["role"] == _CONNECT for each in of_it):
        return "0", _CONNECT
    everybodys = [each for each in of_it if not each["role"]]
    if not everybodys:
        return server.get(name, "0"), "the whole server"
    # What is set for the database goes before what is set for all roles.
    first = max(everybodys, key=lambda each: each["database"] != "")
    return first["value"], f"the database {first['database']}" if first["database"] else "all roles"


async def _replicas(at: Deployment) -> Sequence[CheckResult]:
    """Whose sessions fire no triggers: rows of theirs have no version, and TRUNCATE no deletes."""
    found = [
        warning(
            each["role"] or each["database"],
            f"sessions of {each['role'] or 'everybody'} have session_replication_role = "
            f"{each['value']}, so triggers do not fire in them",
            _reset(each),
        )
        for each in await _overrides(at)
        if each["name"] == "session_replication_role" and each["value"] != "origin"
    ]
    return found or [ok("session_replication_role", "triggers fire in everybody's sessions")]


_slots = partial(free, what="slots", setting="max_replication_slots")
_senders = partial(free, what="senders", setting="max_wal_senders")

CHECKS = (
    Check("pooler", "Postgres", _pooler, ("postgres",)),
    Check("postgres_version", "Postgres", _version, ("postgres",)),
    Check("primary", "Postgres", _primary, ("postgres",)),
    Check("writable", "Postgres", _writable, ("postgres",), ("primary",)),
    Check("durable", "Postgres", _durable, ("postgres",)),
    Check("wal_level", "Postgres", _by(wal_level), ("postgres",)),
    Check("replication_slots", "Postgres", _by(_slots), ("postgres",)),
    Check("wal_senders", "Postgres", _by(_senders), ("postgres",)),
    Check("wal_kept", "Postgres", _by(wal_kept), ("postgres",)),
    Check("connections", "Postgres", _by(connections), ("postgres",)),
    Check("role_logins", "Postgres", _logins, ("postgres",)),
    Check("role_timeouts", "Postgres", _timeouts, ("postgres",)),
    Check("replication_role", "Postgres", _replicas, ("postgres",)),
)
