"""What each process of the local stack is told: addresses, and the password of its own role."""

from collections.abc import Mapping

from badges.stack.layout import HOST, Layout

OWNER = "postgres"
DATABASE = "badges"
SERVICES = ("worker", "api")
"""The project's own processes; each has a role of its own in the database, badges_NAME."""

JWT_SECRET = "BADGES_JWT_SECRET"
_ROLE_PASSWORDS = ("BADGES_WORKER_PASSWORD", "BADGES_API_PASSWORD", "BADGES_CONNECT_PASSWORD")


def _database_url(layout: Layout, user: str, password: str) -> str:
    """Return the local database's URL for one role; the password must be safe in a URL."""
    return f"postgresql://{user}:{password}@{HOST}:{layout.port('postgres')}/{DATABASE}"


def owner_url(layout: Layout, passwords: Mapping[str, str]) -> str:
    return _database_url(layout, OWNER, passwords["BADGES_OWNER_PASSWORD"])


def role_url(layout: Layout, passwords: Mapping[str, str], role: str) -> str:
    return _database_url(layout, role, passwords[f"{role.upper()}_PASSWORD"])


def for_people(layout: Layout, passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that `badges env` prints: everything, as the database's owner."""
    return {
        "BADGES_DATABASE_URL": owner_url(layout, passwords),
        "BADGES_KAFKA_BOOTSTRAP": layout.kafka_bootstrap,
        "BADGES_CONNECT_URL": layout.connect_url,
        "BADGES_API_URL": layout.api_url,
        JWT_SECRET: passwords[JWT_SECRET],
    }


def for_command(layout: Layout, passwords: Mapping[str, str], name: str) -> dict[str, str]:
    """Return the variables of a badges command: a service's own role, else the owner's.

    Whoever has the JWT secret can sign a token of anybody's: it is for the API alone.
    """
    told = for_people(layout, passwords)
    secret = told.pop(JWT_SECRET)
    if name not in SERVICES:
        return {**told, **{name: passwords[name] for name in _ROLE_PASSWORDS}}
    told["BADGES_DATABASE_URL"] = role_url(layout, passwords, f"badges_{name}")
    if name == "worker":
        told["BADGES_CHECKPOINTS"] = str(layout.run_dir / "checkpoints")
    if name == "api":
        told |= {"BADGES_API_HOST": HOST, "BADGES_API_PORT": str(layout.port("api"))}
        told[JWT_SECRET] = secret
    return told


def for_connect(layout: Layout, passwords: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that the connector's JSON refers to as `${env:...}`."""
    return {
        "BADGES_CONNECT_DATABASE_HOSTNAME": HOST,
        "BADGES_CONNECT_DATABASE_PORT": str(layout.port("postgres")),
        "BADGES_CONNECT_DATABASE_NAME": DATABASE,
        "BADGES_CONNECT_DATABASE_USER": "badges_connect",
        "BADGES_CONNECT_DATABASE_PASSWORD": passwords["BADGES_CONNECT_PASSWORD"],
    }
