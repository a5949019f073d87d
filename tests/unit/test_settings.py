"""A setting that is wrong stops the start with its variable's name in one line."""

from collections.abc import Iterator
from ipaddress import ip_network
from pathlib import Path

import pytest

from badges import settings
from streams.errors import Failure


@pytest.fixture(autouse=True)
def _unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    settings.load.cache_clear()
    yield
    settings.load.cache_clear()


def test_networks_are_given_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BADGES_OPEN_NETWORKS", "10.0.0.0/8, ::1/128")

    assert settings.load().open_networks == [ip_network("10.0.0.0/8"), ip_network("::1/128")]


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("BADGES_OPEN_NETWORKS", "10.0.0.0/8,everybody"),
        ("BADGES_KAFKA_SSL_CAFILE", "nowhere.pem"),
        ("BADGES_PARTITIONS", "many"),
        ("BADGES_PREFIX", "With Blanks"),
        ("BADGES_API_HOST", "api..local"),
        ("BADGES_METRICS_HOST", "a" * 64),
    ],
)
def test_a_wrong_setting_is_named(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    monkeypatch.setenv(variable, value)

    with pytest.raises(Failure, match=f"^{variable}: "):
        settings.load()
