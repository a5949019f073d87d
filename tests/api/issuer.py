"""An issuer of tokens with signing keys, and the server that publishes them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

from tests.api.service import ORGANIZATION, claims_of
from tests.serving import serving
from tests.stack import LIMIT_S

ISSUER = "https://project.example/auth/v1"


class Issuer:
    """Signs tokens with keys of its own, publishes them, and counts how often they are fetched."""

    def __init__(self) -> None:
        self.keys: dict[str, PrivateKeyTypes] = {
            "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
            "ec": ec.generate_private_key(ec.SECP256R1()),
        }
        self.published: list[dict[str, Any]] = [self.public(key_id) for key_id in self.keys]
        self.fetched = 0
        self.status = 200
        self.may_answer = Event()
        self.may_answer.set()

    def public(self, key_id: str) -> dict[str, Any]:
        """The entry of a key in the JWKS."""
        key = self.keys[key_id]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        made = jwt.get_algorithm_by_name(algorithm).to_jwk(key.public_key(), as_dict=True)
        return {**made, "kid": key_id, "alg": algorithm, "use": "sig"}

    def rotate(self, key_id: str) -> None:
        """Sign with another key from now on, and publish it in the place of all others."""
        self.keys[key_id] = ec.generate_private_key(ec.SECP256R1())
        self.published = [self.public(key_id)]

    def sign(self, key_id: str, *, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """A token of an admin, with a key's own algorithm."""
        key = self.keys[key_id]
        algorithm = "RS256" if isinstance(key, rsa.RSAPrivateKey) else "ES256"
        claims = claims_of("admin", ORGANIZATION) | {"iss": ISSUER} | changes
        return jwt.encode(claims, key, algorithm, headers={"kid": key_id} | (headers or {}))  # type: ignore[arg-type]

    @contextmanager
    def publishing(self) -> Iterator[str]:
        """Serve the keys during the block; their URL."""
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.fetched += 1
                issuer.may_answer.wait(LIMIT_S)
                body = json.dumps({"keys": issuer.published}).encode()
                self.send_response(issuer.status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        with serving(ThreadingHTTPServer(("127.0.0.1", 0), Handler)) as address:
            yield f"http://{address}/auth/v1/.well-known/jwks.json"
