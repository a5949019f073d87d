"""Addresses as people write them: understood once, in the settings, or refused.

What is refused may be a password cut in two, so no part of it is ever said. What is understood has
a host, a port and a database that can be named.
"""

import re
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")
_ENCODE = (
    "user name and password need percent-encoding where they hold a character that means "
    "something in an address (@ is %40, # is %23, / is %2F, ? is %3F)"
)
_PORT = "the port must be a number from 1 to 65535"
_HOST = re.compile(r"(?P<host>\[[0-9A-Fa-f:.%\w]+\]|[\w.~%-]+)(?::(?P<port>[^:]*))?")


def checked_database(url: str) -> str:
    """Return the URL of a Postgres database as it is. Raises ValueError when it is wrong."""
    parts = _split(url, ("postgresql", "postgres"), "postgresql://USER@HOST:PORT/DATABASE")
    hosts = parts.netloc.rpartition("@")[2]
    if hosts:
        _check_hosts(hosts)
    for name, value in _query(parts):
        if name == "host":
            for host in value.split(","):
                checked_host(host)
        if name == "port" and not all(_is_port(port) for port in value.split(",")):
            raise ValueError(_PORT)
        if name == "sslmode" and value not in _SSL_MODES:
            raise ValueError(f"sslmode must be one of {', '.join(_SSL_MODES)}")
    return url


def checked_rest(url: str) -> str:
    """Return the URL of an HTTP interface as it is. Raises ValueError when it is wrong."""
    parts = _split(url, ("http", "https"), "http://HOST:PORT")
    hosts = parts.netloc.rpartition("@")[2]
    if not hosts or "," in hosts or parts.query:
        raise ValueError("it must be of the form http://HOST:PORT")
    _check_hosts(hosts)
    return url


def checked_origin(origin: str) -> str:
    """Return the origin of a web page, or * for any. Raises ValueError when it is wrong."""
    if origin != "*":
        checked_rest(origin)
        if origin.count("/") != 2 or "@" in origin or origin != origin.lower():
            raise ValueError("it must be of the form https://HOST or https://HOST:PORT, or *")
    return origin


def checked_servers(servers: str) -> str:
    """Return HOST:PORT, several with commas, as it is. Raises ValueError when it is wrong."""
    if "/" in servers or "@" in servers:
        raise ValueError("it must be HOST:PORT, several with commas, without anything before it")
    _check_hosts(servers)
    return servers


def sslmode(url: str) -> str:
    """The sslmode of a checked database URL; Postgres' own default is prefer."""
    return dict(_query(urlsplit(url))).get("sslmode", "prefer")


def _split(url: str, schemes: tuple[str, ...], form: str) -> SplitResult:
    try:
        parts = urlsplit(url)
    except ValueError:  # brackets in a password, for instance
        raise ValueError(_ENCODE) from None
    if parts.scheme not in schemes or "://" not in url:
        raise ValueError(f"it must be of the form {form}")
    if "#" in url or url.count("@") > 1 or "@" in f"{parts.path}{parts.query}":
        raise ValueError(_ENCODE)
    return parts


def _query(parts: SplitResult) -> list[tuple[str, str]]:
    try:
        return parse_qsl(parts.query, strict_parsing=True) if parts.query else []
    except ValueError:
        raise ValueError("what follows the ? must be NAME=VALUE, several with &") from None


def _check_hosts(hosts: str) -> None:
    for host in hosts.split(","):
        found = _HOST.fullmatch(host.strip())
        if found is None:
            raise ValueError("a host is missing, or is not of the form HOST:PORT ([::1]:PORT)")
        if found["port"] is not None and not _is_port(found["port"]):
            raise ValueError(_PORT)
        checked_host(unquote(found["host"]))


def checked_host(host: str) -> str:
    """Return a host's name or address as it is. Raises ValueError for what nobody would look up.

    The path of a socket is not looked up.
    """
    try:
        if not host.startswith("/"):
            host.encode("idna")
    except UnicodeError:
        raise ValueError(
            "a host's name has an empty part, or one of more than 63 characters"
        ) from None
    return host


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and 0 < int(text) < 65536
