"""Settings: BADGES_* environment variables or a .env file, handed inward as plain values."""

from functools import cache

from pydantic import Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from badges.console.problems import Problem


class Settings(BaseSettings):
    """Everything that can be set. Each process is given the database URL of its own role."""

    model_config = SettingsConfigDict(
        env_prefix="BADGES_", env_file=".env", env_file_encoding="utf-8", extra="ignore"
    )

    prefix: str = Field("badges", pattern=r"^[a-z][a-z0-9_]{0,20}$")
    database_url: SecretStr = SecretStr("postgresql://postgres@127.0.0.1:5432/postgres")
    kafka_bootstrap: str = "127.0.0.1:9092"
    connect_url: str = "http://127.0.0.1:8083"
    partitions: int = Field(12, ge=1, le=1000)
    replication_factor: int = Field(1, ge=1, le=10)
    kafka_security_protocol: str = Field(
        "PLAINTEXT", pattern=r"^(PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL)$"
    )
    kafka_sasl_mechanism: str = Field("PLAIN", pattern=r"^(PLAIN|SCRAM-SHA-256|SCRAM-SHA-512)$")
    kafka_sasl_username: str | None = None
    kafka_sasl_password: SecretStr | None = None
    kafka_ssl_cafile: str | None = None
    worker_password: SecretStr | None = None
    api_password: SecretStr | None = None
    connect_password: SecretStr | None = None
    log_level: str = Field("INFO", pattern=r"^(DEBUG|INFO|WARNING|ERROR)$")


@cache
def load() -> Settings:
    """Read the settings once. Raises Problem with the variable's name when one is wrong."""
    try:
        return Settings()
    except ValidationError as error:
        raise Problem("; ".join(_explain(error))) from None


def _explain(error: ValidationError) -> list[str]:
    return [
        f"BADGES_{'_'.join(str(part) for part in item['loc']).upper()}: {item['msg']}"
        for item in error.errors(include_input=False)
    ]
