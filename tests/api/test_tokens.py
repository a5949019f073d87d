"""Tokens: whom they name, and each way in which one is not to be trusted."""

import asyncio
import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from badges.api import signing_keys
from badges.api.callers import Caller
from badges.api.problem import ProblemError
from badges.api.signing_keys import SigningKeys, usable
from badges.api.tokens import Tokens
from badges.settings import Settings
from tests.api.issuer import ISSUER, Issuer
from tests.api.service import ORGANIZATION, SECRET, claims_of
from tests.stack import LIMIT_S

MENTOR = "22222222-2222-4222-8222-222222222222"
NOW = time.time()
A_DAY = 86_400
"""Longer than any run of all tests, which may reach this file long after it was read."""

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signing_keys, "_FETCH_S", LIMIT_S)


@pytest.fixture(scope="module")
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def jwks(issuer: Issuer) -> Iterator[str]:
    with issuer.publishing() as url:
        yield url


def settings(**chosen: Any) -> Settings:
    return Settings(_env_file=None, **chosen)


def with_secret(**chosen: Any) -> Tokens:
    return Tokens(settings(jwt_secret=SecretStr(SECRET), **chosen))


def with_keys(url: str, **chosen: Any) -> Tokens:
    return Tokens(settings(jwks_url=SecretStr(url), jwt_issuer=ISSUER, **chosen))


def hs256(claims: dict[str, Any], key: str = SECRET, **headers: Any) -> str:
    return jwt.encode(claims, key, "HS256", headers=headers)


def by_hand(header: str, payload: str, key: bytes = SECRET.encode()) -> str:
    """A token signed with HS256, whose JSON no library would write."""
    said = ".".join(encoded(part.encode()) for part in (header, payload))
    return f"{said}.{encoded(hmac.new(key, said.encode(), hashlib.sha256).digest())}"


def encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


async def refusal(tokens: Tokens, token: str) -> str:
    """Why a token is refused, which holds nothing of the token."""
    with pytest.raises(ProblemError) as refused:
        await tokens.caller(token)
    assert refused.value.status == 401
    assert refused.value.headers == {"WWW-Authenticate": 'Bearer error="invalid_token"'}
    assert not [part for part in token.split(".") if len(part) > 8 and part in refused.value.detail]
    return refused.value.detail.removeprefix("The token is not accepted: ")


async def test_a_token_names_a_person_of_an_organization() -> None:
    claims = claims_of("coordinator", ORGANIZATION, "anybody")

    caller = await with_secret().caller(hs256(claims))

    expected = Caller("anybody", UUID(ORGANIZATION), "coordinator", float(claims["exp"]))
    assert caller == expected
    assert caller.claims == {
        "sub": "anybody",
        "app_metadata": {"organization_id": ORGANIZATION, "role": "coordinator"},
    }


async def test_other_claims_may_say_it() -> None:
    tokens = with_secret(
        jwt_mentor_claim="badges.mentor",
        jwt_organization_claim="organization",
        jwt_role_claim="https://example.org/role",
    )
    claims = {
        "sub": "auth0|7",
        "aud": "authenticated",
        "exp": NOW + A_DAY,
        "badges": {"mentor": MENTOR},
        "organization": ORGANIZATION,
        "https://example.org/role": "mentor",
    }

    caller = await tokens.caller(hs256(claims))

    assert (caller.sub, caller.mentor_id, caller.role) == ("auth0|7", UUID(MENTOR), "mentor")
    assert caller.claims["sub"] == MENTOR, "in the database a mentor is who they are here"


CLAIMS = claims_of("admin", ORGANIZATION, MENTOR) | {"exp": int(NOW) + A_DAY}


def changed(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (CLAIMS | changes).items() if value is not None}


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        (changed(exp=None), "it has no claim exp"),
        (changed(exp=NOW - 31), "it has expired (exp)"),
        (changed(exp="soon"), "its exp, nbf or iat is no time"),
        (changed(exp=10**400), "its exp is no time"),
        (changed(nbf=NOW + A_DAY), "it is not valid yet (nbf, iat)"),
        (changed(iat=NOW + A_DAY), "it is not valid yet (nbf, iat)"),
        (changed(aud=None), "it has no claim aud"),
        (changed(aud="anon"), "it is for another audience (aud)"),
        (changed(aud=["anon", "public"]), "it is for another audience (aud)"),
        (changed(sub=None), "it has no claim sub"),
        (changed(sub=7), "its claim sub is no text of"),
        (changed(sub=""), "its claim sub is no text of"),
        (changed(sub="x" * 256), "its claim sub is no text of"),
        (changed(sub="a\nb"), "its claim sub is no text of"),
        (changed(app_metadata=None), "it has no claim app_metadata.role"),
        (changed(app_metadata="admin"), "it has no claim app_metadata.role"),
        (changed(app_metadata={"role": "admin"}), "it has no claim app_metadata.organization_id"),
        (
            changed(app_metadata={"role": "owner", "organization_id": ORGANIZATION}),
            "its role (app_metadata.role) is none of admin, coordinator, mentor",
        ),
        (
            changed(app_metadata={"role": ["admin"], "organization_id": ORGANIZATION}),
            "its claim app_metadata.role is no text",
        ),
        (
            changed(app_metadata={"role": "admin", "organization_id": "nhf"}),
            "its claim app_metadata.organization_id is no UUID",
        ),
        (
            changed(app_metadata={"role": "mentor", "organization_id": ORGANIZATION}, sub="kari"),
            "its claim sub is no UUID",
        ),
    ],
)
async def test_claims_that_are_missing_or_wrong_are_named(
    claims: dict[str, Any], reason: str
) -> None:
    assert reason in await refusal(with_secret(), hs256(claims))


UNSIGNED = ".".join((encoded(b'{"alg":"none"}'), encoded(json.dumps(CLAIMS).encode()), ""))


@pytest.mark.parametrize("differs", [{"exp": -15}, {"nbf": 15, "iat": 15}])
async def test_clocks_may_differ_a_little(differs: dict[str, int]) -> None:
    claims = changed(**{name: time.time() + seconds for name, seconds in differs.items()})

    assert (await with_secret().caller(hs256(claims))).role == "admin"


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "it is no JWT"),
        ("a.b", "it is no JWT"),
        ("a.b.c.d", "it is no JWT"),
        ("!.!.!", "it is no JWT"),
        ("ø.ø.ø", "it is no JWT"),
        (f"{encoded(b'[]')}.e30.x", "JSON objects"),
        (f"{encoded(b'[' * 5000)}.e30.x", "JSON objects"),
        ("x" * 9000, "it has more than 8192 characters"),
        (hs256(CLAIMS)[:-2], "it is no JWT"),
        (hs256(CLAIMS)[:-1] + "B", "it is no JWT"),  # bits that no byte has
        (hs256(CLAIMS, "another secret that is as long as this one"), "its signature is not"),
        (by_hand('{"alg":"none"}', json.dumps(CLAIMS)), "it must be signed with HS256"),
        (UNSIGNED, "it must be signed with HS256"),
        (by_hand('{"alg":"HS256","kid":"\\u0000"}', json.dumps(CLAIMS)), "JSON objects"),
        (jwt.encode(CLAIMS, SECRET * 2, "HS512"), "it must be signed with HS256"),
        (by_hand('{"alg":"hs256"}', json.dumps(CLAIMS)), "it must be signed with HS256"),
        (by_hand('{"alg":"none","alg":"HS256"}', json.dumps(CLAIMS)), "each key once"),
        (by_hand('{"alg":["HS256"]}', json.dumps(CLAIMS)), "it must be signed with HS256"),
        (by_hand('{"alg":"HS256","crit":["b64"],"b64":false}', json.dumps(CLAIMS)), "no JWT"),
        (
            by_hand('{"alg":"HS256"}', json.dumps(CLAIMS)[:-1] + ',"sub":"somebody else"}'),
            "each key once",
        ),
        (
            by_hand('{"alg":"HS256"}', json.dumps(CLAIMS)[:-1] + ',"nbf":1e400}'),
            "its exp, nbf or iat is no time",
        ),
        (by_hand('{"alg":"HS256"}', "[" * 3000), "it is no JWT"),
        (by_hand('{"alg":"HS256"}', '{"sub":"\\ud800"}'), "it has no claim exp"),
    ],
)
async def test_what_is_forged_or_broken_is_refused(token: str, reason: str) -> None:
    assert reason in await refusal(with_secret(), token)


async def test_an_issuer_is_checked_where_one_is_set() -> None:
    tokens = with_secret(jwt_issuer=ISSUER)

    assert (await tokens.caller(hs256(changed(iss=ISSUER)))).role == "admin"
    assert await refusal(tokens, hs256(CLAIMS)) == "it has no claim iss"
    assert "another issuer" in await refusal(tokens, hs256(changed(iss="https://evil.example")))


async def test_without_any_key_nobody_gets_in() -> None:
    assert "was started without BADGES_JWT_SECRET" in await refusal(
        Tokens(settings()), hs256(CLAIMS)
    )


@pytest.mark.parametrize("key_id", ["rsa", "ec"])
async def test_published_keys_check_tokens_of_their_own_algorithm(
    issuer: Issuer, jwks: str, key_id: str
) -> None:
    assert (await with_keys(jwks).caller(issuer.sign(key_id))).role == "admin"


async def test_a_public_key_is_no_secret(issuer: Issuer, jwks: str) -> None:
    """The classic confusion: HS256, keyed with what everybody may read."""
    public = issuer.keys["rsa"].public_key()
    pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    claims = json.dumps(changed(iss=ISSUER))
    for key in (pem, json.dumps(issuer.public("rsa")).encode(), b""):
        forged = by_hand('{"alg":"HS256","kid":"rsa"}', claims, key)
        assert await refusal(with_keys(jwks), forged) == "it must be signed with RS256 or ES256"
        both = with_keys(jwks, jwt_secret=SecretStr(SECRET))
        assert await refusal(both, forged) == "its signature is not that of the key"


async def test_while_an_issuer_changes_both_kinds_count(issuer: Issuer, jwks: str) -> None:
    both = with_keys(jwks, jwt_secret=SecretStr(SECRET))

    assert (await both.caller(issuer.sign("ec"))).role == "admin"
    assert (await both.caller(hs256(changed(iss=ISSUER), kid="ec"))).role == "admin"
    assert "must be signed with HS256" in await refusal(with_secret(), issuer.sign("rsa"))


async def test_a_token_brings_no_key_of_its_own(jwks: str) -> None:
    own = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = jwt.get_algorithm_by_name("RS256").to_jwk(own.public_key(), as_dict=True)
    with Issuer().publishing() as elsewhere:
        headers = {"jwk": public, "jku": elsewhere, "x5u": elsewhere, "x5c": ["MII"]}
        for key_id in ("rsa", "own"):
            claims = changed(iss=ISSUER)
            forged = jwt.encode(claims, own, "RS256", headers={"kid": key_id} | headers)
            assert await refusal(with_keys(jwks), forged) in {
                "its signature is not that of the key",
                "the issuer has no such key (kid, alg)",
            }


@pytest.mark.parametrize(
    "key_id", ["../../etc/passwd", "rsa' OR '1'='1", "http://127.0.0.1/", "", "ec"]
)
async def test_a_key_id_is_a_name_and_nothing_else(issuer: Issuer, jwks: str, key_id: str) -> None:
    forged = issuer.sign("rsa", headers={"kid": key_id})
    assert await refusal(with_keys(jwks), forged) == "the issuer has no such key (kid, alg)"


async def test_a_token_must_name_its_key(issuer: Issuer, jwks: str) -> None:
    nameless = jwt.encode(changed(iss=ISSUER), issuer.keys["ec"], "ES256")  # type: ignore[arg-type]
    assert "does not name the key" in await refusal(with_keys(jwks), nameless)


class Clock:
    """Seconds that pass when a test says so."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


async def test_however_many_unknown_keys_are_named_fetches_are_few(
    issuer: Issuer, jwks: str
) -> None:
    clock = Clock()
    keys = SigningKeys(jwks, clock)
    before = issuer.fetched

    found = await asyncio.gather(*(keys.key(f"unknown-{number}") for number in range(200)))
    for number in range(200):
        found.append(await keys.key(f"unknown-{number}"))

    assert set(found) == {None}
    assert issuer.fetched == before + 1
    clock.now += 11
    await asyncio.gather(*(keys.key(f"unknown-{number}") for number in range(200)))
    assert issuer.fetched == before + 2


async def test_a_new_key_counts_once_it_is_named_and_an_old_one_no_more() -> None:
    issuer, clock = Issuer(), Clock()
    with issuer.publishing() as url:
        keys = SigningKeys(url, clock)
        assert await keys.key("ec") is not None
        issuer.rotate("next")
        clock.now += 11

        assert await keys.key("next") is not None
        assert await keys.key("ec") is None


async def test_while_the_issuer_is_away_its_last_keys_go_on() -> None:
    issuer, clock = Issuer(), Clock()
    with issuer.publishing() as url:
        keys = SigningKeys(url, clock)
        assert await keys.key("ec") is not None
        for status, published in ((503, issuer.published), (200, "no list")):
            issuer.status, issuer.published = status, published  # type: ignore[assignment]
            clock.now += 11
            assert await keys.key("unknown") is None
            assert await keys.key("ec") is not None
    clock.now += 11
    assert await keys.key("unknown") is None
    assert await keys.key("ec") is not None


async def test_without_any_key_callers_are_told_to_come_again() -> None:
    issuer = Issuer()
    issuer.status = 500
    with issuer.publishing() as url:
        tokens = with_keys(url)
        tokens.signing_keys = SigningKeys(url, Clock())
        for _ in range(5):
            with pytest.raises(ProblemError) as refused:
                await tokens.caller(issuer.sign("ec"))
            assert refused.value.status == 503
            assert refused.value.headers == {"Retry-After": "2"}
    assert issuer.fetched == 1


async def test_whoever_comes_during_a_fetch_waits_for_that_one() -> None:
    issuer = Issuer()
    issuer.may_answer.clear()
    with issuer.publishing() as url:
        keys = SigningKeys(url)
        gone = asyncio.create_task(keys.key("ec"))
        waiting = [asyncio.create_task(keys.key("ec")) for _ in range(20)]
        await asyncio.sleep(0)
        gone.cancel()
        issuer.may_answer.set()

        assert all(await asyncio.gather(*waiting))
        assert gone.cancelled()
    assert issuer.fetched == 1


def test_keys_that_cannot_be_trusted_are_passed_over() -> None:
    weak = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    curve = ec.generate_private_key(ec.SECP384R1())
    rs256, es384 = jwt.get_algorithm_by_name("RS256"), jwt.get_algorithm_by_name("ES384")
    good = Issuer().public("ec")
    entries = [
        good | {"kid": "for encryption", "use": "enc"},
        good | {"kid": 7},
        {name: value for name, value in good.items() if name != "kid"},
        good | {"kid": "off the curve", "x": good["y"]},
        good | {"kid": "another algorithm", "alg": "RS256"},
        {"kid": "secret", "kty": "oct", "alg": "HS256", "k": encoded(SECRET.encode())},
        {"kid": "secret as RS256", "kty": "oct", "alg": "RS256", "k": encoded(SECRET.encode())},
        rs256.to_jwk(weak.public_key(), as_dict=True) | {"kid": "weak"},
        es384.to_jwk(curve.public_key(), as_dict=True) | {"kid": "curve"},
        rs256.to_jwk(weak, as_dict=True) | {"kid": "private"},
        "no object",
        good,
    ]

    assert set(usable({"keys": entries})) == {"ec"}


@pytest.mark.parametrize("document", [[], {}, {"keys": {}}, "keys", None])
def test_what_is_no_jwks_is_an_error(document: object) -> None:
    with pytest.raises(ValueError, match="no JWKS"):
        usable(document)
