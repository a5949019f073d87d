"""Addresses: which are understood, and that nothing of the others is said."""

import pytest

from badges import urls
from schema.database import where

SECRETS = ("s3cret", "xq", "w0rd")


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("postgresql://postgres@127.0.0.1:5432/postgres", "127.0.0.1:5432/postgres"),
        ("postgres://u:p%40xq%23w0rd@db.example.org/badges", "db.example.org:5432/badges"),
        ("postgresql://u:p:a:s@db:6543/badges?sslmode=require", "db:6543/badges"),
        ("postgresql://u:p@[::1]:6543/badges", "[::1]:6543/badges"),
        ("postgresql://u:p@[::1]/badges", "[::1]:5432/badges"),
        ("postgresql://u@one:1,two:2/badges", "one:1,two:2/badges"),
        ("postgresql:///badges?host=/run/postgresql", "/run/postgresql/badges"),
        ("postgresql://%2Frun%2Fpostgresql/badges", "/run/postgresql/badges"),
        ("postgresql:///badges?host=db&port=6543&password=s3cret", "db:6543/badges"),
    ],
)
def test_a_database_is_named_without_user_and_password(url: str, place: str) -> None:
    assert urls.checked_database(url) == url
    assert where(url) == place


def test_the_sslmode_is_postgres_own_unless_given() -> None:
    assert urls.sslmode("postgresql://u@db/x") == "prefer"
    assert urls.sslmode("postgresql://u@db/x?sslmode=verify-full") == "verify-full"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("foo", "of the form postgresql://"),
        ("", "of the form postgresql://"),
        ("mysql://u:s3cret@db/x", "of the form postgresql://"),
        ("postgresql:u:s3cret@db/x", "of the form postgresql://"),
        ("postgresql://w:s3cret/xq@db/x", "percent-encoding"),
        ("postgresql://w:s3cret@xq@db/x", "percent-encoding"),
        ("postgresql://w:s3cret@xq/w0rd@db/x", "percent-encoding"),
        ("postgresql://w:s3cret#xq@db/x", "percent-encoding"),
        ("postgresql://w:s3cret?xq@db/x", "percent-encoding"),
        ("postgresql://w:s3cret[xq@db/x", "percent-encoding"),
        ("postgresql://w:s3cret/xq", "port"),
        ("postgresql://u:s3cret@db:99999/x", "port must be a number from 1 to 65535"),
        ("postgresql://u:s3cret@db:0/x", "port must be a number"),
        ("postgresql://u:s3cret@db:abc/x", "port must be a number"),
        ("postgresql://u:s3cret@db:/x", "port must be a number"),
        ("postgresql://u:s3cret@one:1,two:abc/x", "port must be a number"),
        ("postgresql:///x?host=db&port=abc", "port must be a number"),
        ("postgresql://u:s3cret@/x", None),
        ("postgresql://u:s3cret@::1/x", "a host is missing"),
        ("postgresql://u:s3cret@db,/x", "a host is missing"),
        ("postgresql://u:s3cret@db/x?sslmode=yes", "sslmode must be one of"),
        ("postgresql://u:s3cret@db/x?w0rd", "NAME=VALUE"),
    ],
)
def test_what_is_no_database_is_refused_without_a_word_of_it(url: str, said: str | None) -> None:
    if said is None:  # libpq's default host
        assert urls.checked_database(url) == url
        return
    with pytest.raises(ValueError, match=said) as raised:
        urls.checked_database(url)

    assert not [part for part in SECRETS if part in str(raised.value)]
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:8083", "https://u:s3cret@connect/path/", "http://[::1]:8083"]
)
def test_an_http_interface(url: str) -> None:
    assert urls.checked_rest(url) == url


@pytest.mark.parametrize(
    "url",
    [
        "connect:8083",
        "http://",
        "http://connect:99999",
        "http://connect:abc",
        "http://u:s3cret@xq@connect:8083",
        "http://u:s3cret#xq@connect:8083",
        "http://connect:8083/?s3cret",
        "postgresql://connect:8083",
    ],
)
def test_what_is_no_http_interface_is_refused_without_a_word_of_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"form|port|percent-encoding") as raised:
        urls.checked_rest(url)

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("servers", ["127.0.0.1:9092", "a:1,b:2", "a, b:2", "[::1]:9092", "kafka"])
def test_servers(servers: str) -> None:
    assert urls.checked_servers(servers) == servers


@pytest.mark.parametrize(
    "servers", ["", "a:1,", "kafka://a:1", "u:s3cret@a:1", "a:99999", "a:abc", "::1", "a:1 b:2"]
)
def test_what_are_no_servers_is_refused(servers: str) -> None:
    with pytest.raises(ValueError, match=r"HOST:PORT|port") as raised:
        urls.checked_servers(servers)

    assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("host", ["db..local", ".local", f"{'x' * 64}.local"])
def test_a_host_that_cannot_be_looked_up_is_refused(host: str) -> None:
    for check, url in (
        (urls.checked_host, host),
        (urls.checked_servers, f"one:1,{host}:2"),
        (urls.checked_rest, f"http://{host}:8083"),
        (urls.checked_database, f"postgresql://u:s3cret@{host}:1/x"),
        (urls.checked_database, f"postgresql:///x?host={host}&password=s3cret"),
    ):
        with pytest.raises(ValueError, match="an empty part, or one of more than 63") as raised:
            check(url)
        assert "s3cret" not in str(raised.value)


@pytest.mark.parametrize("host", ["::1", "127.0.0.1", "db.example.org.", "blåbær.no", ""])
def test_a_host(host: str) -> None:
    assert urls.checked_host(host) == host
