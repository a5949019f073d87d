"""Settings: BADGES_* environment variables or a .env file, handed inward as plain values."""

import os
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Self, TypeAlias

from dotenv import dotenv_values
from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    FilePath,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from badges import urls
from streams.errors import Failure
from streams.log.kafka import KafkaAccess

FILE = Path(".env")

_SECRET_BYTES = 32
"""What HS256 needs (RFC 7518, 3.2)."""


def _parts(value: object) -> object:
    if not isinstance(value, str):
        return value
    return [part.strip() for part in value.split(",")] if value.strip() else []


_Networks: TypeAlias = Annotated[list[IPvAnyNetwork], NoDecode, BeforeValidator(_parts)]
"""CIDR blocks, several with commas."""
_Origins: TypeAlias = Annotated[
    list[Annotated[str, AfterValidator(urls.checked_origin)]], NoDecode, BeforeValidator(_parts)
]


def _nowhere_if_empty(value: object) -> object:
    return value or None


def _state_directory() -> Path | None:
    """The user's own place for checkpoints (XDG_STATE_HOME); None for one who has no home."""
    state = Path(os.environ.get("XDG_STATE_HOME", ""))
    if not state.is_absolute():
        try:
            state = Path.home() / ".local" / "state"
        except RuntimeError:
            return None
    return state / "badges" / "checkpoints"


_Claim: TypeAlias = Annotated[str, Field(pattern=r"^[^.\s]+(\.[^.\s]+)*$")]
"""Where a token says something: names of claims, from the outside in, with dots between."""


def _database(url: SecretStr) -> SecretStr:
    urls.checked_database(url.get_secret_value())
    return url


def _rest(url: SecretStr) -> SecretStr:
    urls.checked_rest(url.get_secret_value())
    return url


def _secret(secret: SecretStr) -> SecretStr:
    said = secret.get_secret_value()
    if said.lstrip().startswith("-----BEGIN"):
        raise ValueError("it is a key in PEM form: public keys come from BADGES_JWKS_URL")
    if len(said.encode()) < _SECRET_BYTES:
        raise ValueError(f"it must have at least {_SECRET_BYTES} bytes, or it can be guessed")
    return secret


def _authorities(file: Path) -> Path:
    try:
        ssl.create_default_context(cafile=file)
    except ssl.SSLError:
        raise ValueError(f"{file} holds no certificate in PEM form") from None
    except OSError as error:
        raise ValueError(f"{file} cannot be read: {error.strerror}") from None
    return file


_DatabaseUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_database)]
_RestUrl: TypeAlias = Annotated[SecretStr, AfterValidator(_rest)]
_Secret: TypeAlias = Annotated[SecretStr, AfterValidator(_secret)]
_Servers: TypeAlias = Annotated[str, AfterValidator(urls.checked_servers)]
"""Addresses that were understood; whoever reads one again may rely on that."""
_Host: TypeAlias = Annotated[str, AfterValidator(urls.checked_host)]
_Authorities: TypeAlias = Annotated[FilePath, AfterValidator(_authorities)]


class Settings(BaseSettings):
    """Everything that can be set. Each process is given the database URL of its own role."""

    model_config = SettingsConfigDict(
        env_prefix="BADGES_", env_file=FILE, env_file_encoding="utf-8", extra="ignore"
    )

    prefix: str = Field("badges", pattern=r"^[a-z][a-z0-9_]{0,20}$")
    database_url: _DatabaseUrl = SecretStr("postgresql://postgres@127.0.0.1:5432/postgres")
    kafka_bootstrap: _Servers = "127.0.0.1:9092"
    connect_url: _RestUrl = SecretStr("http://127.0.0.1:8083")
    partitions: int = Field(12, ge=1, le=1000)
    replication_factor: int = Field(1, ge=1, le=10)
    kafka_security_protocol: str = Field(
        "PLAINTEXT", pattern=r"^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$"
    )
    kafka_sasl_mechanism: str = Field("PLAIN", pattern=r"^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$")
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: _Authorities | None = None
    worker_password: SecretStr | None = None
    api_password: SecretStr | None = None
    connect_password: SecretStr | None = None
    jwt_secret: _Secret | None = None
    jwks_url: _RestUrl | None = None
    jwt_issuer: str | None = Field(None, min_length=1)
    jwt_audience: str = Field("authenticated", min_length=1)
    jwt_mentor_claim: _Claim = "sub"
    jwt_organization_claim: _Claim = "app_metadata.organization_id"
    jwt_role_claim: _Claim = "app_metadata.role"
    api_host: _Host = "127.0.0.1"
    api_port: int = Field(8000, ge=1, le=65535)
    api_url: _RestUrl | None = None
    api_connections: int = Field(10, ge=2, le=200)
    preview_seconds: float = Field(5, gt=0, le=25)
    cors_origins: _Origins = Field(default_factory=list)
    open_networks: _Networks = Field(
        default_factory=lambda: [ip_network("127.0.0.0/8"), ip_network("::1/128")]
    )
    unlock_streams: int = Field(4000, ge=1, le=100_000)
    unlock_heartbeat: float = Field(15, ge=0.1, le=300)
    on_time_seconds: float = Field(5, ge=1, le=86400)
    backfill_pause: float = Field(0, ge=0, le=3600)
    metrics_host: _Host = "127.0.0.1"
    metrics_port: int | None = Field(None, ge=1, le=65535)
    session_timeout: float = Field(30, ge=6, le=1800)
    instance_directory: Path | None = None
    checkpoints: Annotated[Path | None, BeforeValidator(_nowhere_if_empty)] = Field(
        default_factory=_state_directory
    )
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")

    @model_validator(mode="after")
    def _sasl_is_whole(self) -> Self:
        password = self.kafka_sasl_password
        needed = {
            "BADGES_KAFKA_SASL_USERNAME": self.kafka_sasl_username,
            "BADGES_KAFKA_SASL_PASSWORD": password.get_secret_value() if password else None,
        }
        missing = [name for name, value in needed.items() if not value]
        if missing and self.kafka_security_protocol.startswith("SASL"):
            raise ValueError(
                f"{' and '.join(missing)}: needed with BADGES_KAFKA_SECURITY_PROTOCOL="
                f"{self.kafka_security_protocol}"
            )
        return self

    @model_validator(mode="after")
    def _public_keys_have_an_issuer(self) -> Self:
        if self.jwks_url is not None and self.jwt_issuer is None:
            raise ValueError("BADGES_JWT_ISSUER: needed with BADGES_JWKS_URL")
        return self

    @property
    def database(self) -> str:
        """The database's URL as whoever connects needs it, password included."""
        return self.database_url.get_secret_value()

    def kafka_access(self) -> KafkaAccess:
        password = self.kafka_sasl_password
        return KafkaAccess(
            bootstrap=self.kafka_bootstrap,
            security_protocol=self.kafka_security_protocol,
            sasl_mechanism=self.kafka_sasl_mechanism,
            sasl_username=self.kafka_sasl_username,
            sasl_password=password.get_secret_value() if password else None,
            ssl_cafile=str(self.kafka_ssl_cafile) if self.kafka_ssl_cafile else None,
        )


@cache
def load() -> Settings:
    """Read the settings once. Raises Failure with the variable's name when one is wrong."""
    with understood():
        return Settings()


def from_file() -> Mapping[str, str | None]:
    """What the .env file sets, ours or not. Raises Failure when it cannot be read."""
    with understood():
        return dotenv_values(FILE, encoding="utf-8") if FILE.is_file() else {}


@contextmanager
def understood() -> Iterator[None]:
    """Turn settings that are wrong, or a .env file that cannot be read, into a Failure."""
    try:
        yield
    except ValidationError as error:
        raise Failure(_explained(error)) from None
    except UnicodeDecodeError:
        raise Failure(
            f"the file {FILE} in this folder is not UTF-8", hint="Save it as that"
        ) from None
    except OSError as error:
        raise Failure(f"the file {FILE} in this folder cannot be read: {error.strerror}") from None


def _explained(error: ValidationError) -> str:
    """What is wrong with which variable, in one line without what was given."""
    return "; ".join(
        "".join(f"BADGES_{str(name).upper()}: " for name in item["loc"][:1])
        + item["msg"].removeprefix("Value error, ")
        for item in error.errors(include_input=False)
    )
