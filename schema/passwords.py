"""Passwords of the database roles, sent as SCRAM verifiers so that no server log shows them."""

import base64
import hashlib
import hmac
import os
import unicodedata

import asyncpg

from schema.database import advice
from sinks.pool import Connection
from streams.errors import FOUND_A_PROBLEM, Failure

_ITERATIONS = 4096
_ATTEMPTS = 5


async def set_password(connection: Connection, role: str, password: str) -> None:
    """Let `role` log in with `password`. Raises Failure when this user may not do that."""
    statement = await connection.fetchval(
        "SELECT format('ALTER ROLE %I LOGIN PASSWORD %L', $1::text, $2::text)",
        role,
        scram_verifier(password, os.urandom(16)),
    )
    for attempt in range(_ATTEMPTS):
        try:
            await connection.execute(statement)
            return
        except asyncpg.InternalServerError:
            # Roles are the cluster's: another database's migration writes the same row.
            if attempt == _ATTEMPTS - 1:
                raise
        except asyncpg.InsufficientPrivilegeError as error:
            raise Failure(
                f"the schema is up to date, but the password of {role} is not set: {advice(error)} "
                f"As a superuser run: ALTER ROLE {role} LOGIN PASSWORD '...';",
                code=FOUND_A_PROBLEM,
            ) from error


def scram_verifier(password: str, salt: bytes) -> str:
    """The SCRAM-SHA-256 verifier of RFC 5803, as Postgres stores it."""
    normal = unicodedata.normalize("NFKC", password).encode()
    salted = hashlib.pbkdf2_hmac("sha256", normal, salt, _ITERATIONS)
    client_key = hmac.digest(salted, b"Client Key", "sha256")
    stored_key = hashlib.sha256(client_key).digest()
    server_key = hmac.digest(salted, b"Server Key", "sha256")
    return (
        f"SCRAM-SHA-256${_ITERATIONS}:{_base64(salt)}${_base64(stored_key)}:{_base64(server_key)}"
    )


def _base64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
