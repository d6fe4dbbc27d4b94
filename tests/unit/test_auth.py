"""Which tokens are taken, for every way of trusting one."""

import hmac
import json
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import base64url_encode

from ingest_api.auth import ASYMMETRIC, SYMMETRIC, Authenticator, FixedKey, KeySet, KeySource
from ingest_api.problems import Unauthenticated, Unavailable
from tests.support.eventually import eventually
from tests.support.http import JWT_SECRET, token

USER = str(uuid.uuid4())
PRIVATE = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def public_pem(key: Any) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(encoding, form).decode())


PEM = public_pem(PRIVATE)


def bearing(bearer: str) -> dict[bytes, bytes]:
    return {b"authorization": f"Bearer {bearer}".encode()}


async def user_of(keys: KeySource, bearer: str, audience: str | None = None, issuer: str | None = None) -> str:
    return (await Authenticator(keys, audience, issuer).caller(bearing(bearer), time.time())).user_id


async def test_a_token_signed_with_the_secret_is_taken() -> None:
    assert await user_of(FixedKey(JWT_SECRET, SYMMETRIC), token(USER.upper())) == USER


async def test_a_token_may_expire_beyond_any_calendar() -> None:
    assert await user_of(FixedKey(JWT_SECRET, SYMMETRIC), token(USER, exp=10**400)) == USER


async def test_a_token_signed_with_the_private_key_is_taken() -> None:
    assert await user_of(FixedKey(PEM, ASYMMETRIC), token(USER, PRIVATE, "RS256")) == USER


async def test_a_public_key_is_never_taken_for_a_secret() -> None:
    header, claims = (_b64(it) for it in ({"alg": "HS256", "typ": "JWT"}, {"sub": USER, "exp": time.time() + 60}))
    forged = f"{header}.{claims}.{_sign(f'{header}.{claims}')}"
    with pytest.raises(Unauthenticated):
        await user_of(FixedKey(PEM, ASYMMETRIC), forged)


def _b64(it: dict[str, Any]) -> str:
    return base64url_encode(json.dumps(it).encode()).decode()


def _sign(text: str) -> str:
    return base64url_encode(hmac.digest(PEM.encode(), text.encode(), "sha256")).decode()


@pytest.mark.parametrize(("audience", "issuer"), [("exams", None), (None, "login"), ("exams", "login")])
async def test_audience_and_issuer_are_demanded_when_set(audience: str | None, issuer: str | None) -> None:
    keys = FixedKey(JWT_SECRET, SYMMETRIC)
    assert await user_of(keys, token(USER, aud=audience, iss=issuer), audience, issuer) == USER
    with pytest.raises(Unauthenticated):
        await user_of(keys, token(USER), audience, issuer)
    with pytest.raises(Unauthenticated):
        await user_of(keys, token(USER, aud="other", iss="other"), audience, issuer)


async def test_a_token_in_use_is_refused_soon_after_its_key_is_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest_api.auth.TOKEN_TTL", timedelta(milliseconds=200))
    keys = FixedKey(JWT_SECRET, SYMMETRIC)
    it, bearer = Authenticator(keys, None, None), bearing(token(USER))
    await it.caller(bearer, time.time())
    monkeypatch.setattr(keys, "_key", "another secret, long enough for every HMAC that a token may ask for")

    async def is_refused() -> bool:
        try:
            await it.caller(bearer, time.time())
        except Unauthenticated:
            return True
        return False

    await eventually(is_refused, timeout=5, interval=0.02)


async def test_a_token_that_was_taken_is_refused_once_it_expires() -> None:
    it = Authenticator(FixedKey(JWT_SECRET, SYMMETRIC), None, None)
    bearer = bearing(token(USER))
    await it.caller(bearer, time.time())
    with pytest.raises(Unauthenticated, match="expired"):
        await it.caller(bearer, time.time() + 61)


@pytest.mark.parametrize(("key", "algorithm"), [(PRIVATE, "PS256"), (CURVE, "ES256"), (EDWARDS, "EdDSA")])
async def test_every_kind_of_public_key_is_taken_and_its_tokens_by_no_other(key: Any, algorithm: str) -> None:
    assert await user_of(FixedKey(public_pem(key), ASYMMETRIC), token(USER, key, algorithm)) == USER
    with pytest.raises(Unauthenticated):
        await user_of(
            FixedKey(public_pem(ec.generate_private_key(ec.SECP256R1())), ASYMMETRIC), token(USER, key, algorithm)
        )


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"crit": []}])
async def test_a_header_that_changes_the_meaning_of_the_token_is_refused(header: dict[str, Any]) -> None:
    claims = {"sub": USER, "exp": time.time() + 60}
    signed = jwt.encode(claims, JWT_SECRET, algorithm="HS256", headers=header)
    with pytest.raises(Unauthenticated):
        await user_of(FixedKey(JWT_SECRET, SYMMETRIC), signed)


class JwksServer:
    """Serves the public halves of `keys`, by key id."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.fetches = 0
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                outer.fetches += 1
                self.send_response(200)
                self.end_headers()
                self.wfile.write(outer.document())

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/jwks.json"

    def document(self) -> bytes:
        return json.dumps({"keys": [public_jwk(key) | {"kid": kid} for kid, key in self.keys.items()]}).encode()


def public_jwk(key: Any) -> dict[str, Any]:
    kinds: dict[type, Any] = {
        rsa.RSAPrivateKey: RSAAlgorithm,
        ec.EllipticCurvePrivateKey: ECAlgorithm,
        ed25519.Ed25519PrivateKey: OKPAlgorithm,
    }
    [algorithm] = [algorithm for kind, algorithm in kinds.items() if isinstance(key, kind)]
    return dict(algorithm.to_jwk(key.public_key(), as_dict=True))


@pytest.fixture
def jwks() -> Iterator[JwksServer]:
    it = JwksServer()
    thread = threading.Thread(target=it.server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield it
    it.server.shutdown()
    thread.join()
    it.server.server_close()


def token_of_key(kid: str, key: Any, algorithm: str = "RS256", **header: Any) -> str:
    return jwt.encode({"sub": USER, "exp": time.time() + 60}, key, algorithm=algorithm, headers={"kid": kid} | header)


async def test_a_token_names_its_key_in_the_key_set(jwks: JwksServer) -> None:
    jwks.keys["one"] = PRIVATE
    keys = KeySet(jwks.url)
    assert await user_of(keys, token_of_key("one", PRIVATE)) == USER
    assert await user_of(keys, token_of_key("one", PRIVATE)) == USER
    assert jwks.fetches == 1


async def test_unknown_key_ids_do_not_make_the_key_set_be_fetched_each_time(jwks: JwksServer) -> None:
    jwks.keys["one"] = PRIVATE
    keys = KeySet(jwks.url)
    for kid in ("two", "three", "four"):
        with pytest.raises(Unauthenticated):
            await user_of(keys, token_of_key(kid, PRIVATE))
    assert jwks.fetches <= 2


async def test_without_its_key_set_the_gateway_is_unavailable_rather_than_wrong() -> None:
    with pytest.raises(Unavailable):
        await user_of(KeySet("http://127.0.0.1:1/jwks.json"), token_of_key("one", PRIVATE))


async def test_keys_come_and_go_while_the_gateway_runs(jwks: JwksServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest_api.auth.JWKS_COOLDOWN", timedelta(0))
    monkeypatch.setattr("ingest_api.auth.JWKS_TTL", timedelta(microseconds=1))
    keys = KeySet(jwks.url)
    jwks.keys = {"one": PRIVATE}
    assert await user_of(keys, token_of_key("one", PRIVATE)) == USER
    jwks.keys |= {"two": CURVE, "three": EDWARDS}
    assert await user_of(keys, token_of_key("two", CURVE, "ES256")) == USER
    assert await user_of(keys, token_of_key("three", EDWARDS, "EdDSA")) == USER
    del jwks.keys["one"]
    with pytest.raises(Unauthenticated):
        await user_of(keys, token_of_key("one", PRIVATE))


@pytest.mark.parametrize(
    "kid", ["../../../../dev/null", "one' OR '1' = '1", "http://127.0.0.1:1/jwks.json", "one\0", ""]
)
async def test_a_key_id_is_a_name_in_the_set_and_nothing_else(jwks: JwksServer, kid: str) -> None:
    jwks.keys = {"one": PRIVATE}
    with pytest.raises(Unauthenticated):
        await user_of(KeySet(jwks.url), token_of_key(kid, PRIVATE))


async def test_a_key_that_the_token_brings_along_or_points_to_is_not_used(jwks: JwksServer) -> None:
    attackers = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    jwks.keys = {"one": attackers}
    headers: list[dict[str, Any]] = [{"jku": jwks.url}, {"x5u": jwks.url}, {"jwk": public_jwk(attackers)}]
    for header in headers:
        with pytest.raises(Unauthenticated):
            await user_of(FixedKey(PEM, ASYMMETRIC), token_of_key("one", attackers, **header))
    assert jwks.fetches == 0


async def test_a_secret_signs_nothing_where_a_key_set_is_trusted(jwks: JwksServer) -> None:
    jwks.keys = {"one": PRIVATE}
    with pytest.raises(Unauthenticated):
        await user_of(KeySet(jwks.url), token_of_key("one", JWT_SECRET, "HS256"))
