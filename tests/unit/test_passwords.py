"""The stored form of a password, against the example exchange of RFC 7677."""

import base64
import hmac

from schema.passwords import scram_verifier

SALT = "W22ZaJ0SNY7soEsUEjb6gQ=="
NONCE = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
EXCHANGE = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={NONCE},s={SALT},i=4096,c=biws,r={NONCE}"
SERVER_SIGNATURE = "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


def test_the_verifier_signs_as_the_server_of_the_example() -> None:
    verifier = scram_verifier("pencil", base64.b64decode(SALT))
    assert verifier.startswith(f"SCRAM-SHA-256$4096:{SALT}$")
    server_key = base64.b64decode(verifier.rpartition(":")[2])
    signature = hmac.digest(server_key, EXCHANGE.encode(), "sha256")
    assert base64.b64encode(signature).decode() == SERVER_SIGNATURE
