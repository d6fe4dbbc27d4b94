"""Which tokens are taken, for every way of trusting one."""

import hmac
import json
import time
import uuid
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.utils import base64url_encode

from attemptlog.runtime.headers import headers_of, token_of
from attemptlog.runtime.jwk import ASYMMETRIC, SYMMETRIC
from attemptlog.runtime.keys import FixedKey, KeySource
from attemptlog.runtime.token_errors import TokenRefused
from attemptlog.runtime.tokens import TOKEN_TTL, Authenticator
from tests.support.http import JWT_SECRET, token
from tests.support.key_server import KeyServer, key_server_on, public_jwk, token_of_key

USER = str(uuid.uuid4())
PRIVATE = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
CURVE = ec.generate_private_key(ec.SECP256R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()


def public_pem(key: Any) -> str:
    encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_key().public_bytes(encoding, form).decode())


PEM = public_pem(PRIVATE)


async def user_of(keys: KeySource, bearer: str, audience: str | None = None, issuer: str | None = None) -> str:
    return (await Authenticator(keys, audience, issuer).caller(bearer, time.time())).user_id


async def test_a_token_signed_with_the_secret_is_taken() -> None:
    assert await user_of(FixedKey(JWT_SECRET, SYMMETRIC), token(USER.upper())) == USER


async def test_a_token_over_the_bound_is_refused_before_it_is_looked_at() -> None:
    with pytest.raises(TokenRefused, match="8192"):
        await user_of(FixedKey(JWT_SECRET, SYMMETRIC), token(USER, more="x" * 8192))


async def test_a_token_may_expire_beyond_any_calendar() -> None:
    assert await user_of(FixedKey(JWT_SECRET, SYMMETRIC), token(USER, exp=10**400)) == USER


async def test_a_token_signed_with_the_private_key_is_taken() -> None:
    assert await user_of(FixedKey(PEM, ASYMMETRIC), token(USER, PRIVATE, "RS256")) == USER


async def test_a_public_key_is_never_taken_for_a_secret() -> None:
    header, claims = (_b64(it) for it in ({"alg": "HS256", "typ": "JWT"}, {"sub": USER, "exp": time.time() + 60}))
    forged = f"{header}.{claims}.{_sign(f'{header}.{claims}')}"
    with pytest.raises(TokenRefused):
        await user_of(FixedKey(PEM, ASYMMETRIC), forged)


def _b64(it: dict[str, Any]) -> str:
    return base64url_encode(json.dumps(it).encode()).decode()


def _sign(text: str) -> str:
    return base64url_encode(hmac.digest(PEM.encode(), text.encode(), "sha256")).decode()


@pytest.mark.parametrize(("audience", "issuer"), [("exams", None), (None, "login"), ("exams", "login")])
async def test_audience_and_issuer_are_demanded_when_set(audience: str | None, issuer: str | None) -> None:
    keys = FixedKey(JWT_SECRET, SYMMETRIC)
    assert await user_of(keys, token(USER, aud=audience, iss=issuer), audience, issuer) == USER
    with pytest.raises(TokenRefused):
        await user_of(keys, token(USER), audience, issuer)
    with pytest.raises(TokenRefused):
        await user_of(keys, token(USER, aud="other", iss="other"), audience, issuer)


async def test_a_token_in_use_is_refused_soon_after_its_key_is_withdrawn() -> None:
    keys, now, soon = FixedKey(JWT_SECRET, SYMMETRIC), time.time(), TOKEN_TTL.total_seconds()
    it, bearer = Authenticator(keys, None, None), token(USER, exp=now + 2 * soon)
    await it.caller(bearer, now)
    keys._key = "another secret, long enough for every HMAC that a token may ask for"
    await it.caller(bearer, now + soon / 2)
    with pytest.raises(TokenRefused, match="InvalidSignatureError"):
        await it.caller(bearer, now + soon)


async def test_a_token_is_verified_once_as_long_as_its_key_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    now, soon = time.time(), TOKEN_TTL.total_seconds()
    authenticator = Authenticator(FixedKey(JWT_SECRET, SYMMETRIC), None, None)
    issued = token(USER, exp=now + 2.5 * soon)
    first = await authenticator.caller(issued, now)
    monkeypatch.setattr(jwt, "decode", None)
    for later in (1, 2):
        assert (await authenticator.caller(issued, now + later * soon)).user_id == first.user_id
    with pytest.raises(TokenRefused, match="has expired"):
        await authenticator.caller(issued, now + 3 * soon)


async def test_a_token_that_was_taken_is_refused_once_it_expires() -> None:
    it = Authenticator(FixedKey(JWT_SECRET, SYMMETRIC), None, None)
    bearer = token(USER)
    await it.caller(bearer, time.time())
    with pytest.raises(TokenRefused, match="expired"):
        await it.caller(bearer, time.time() + 61)


@pytest.mark.parametrize(("key", "algorithm"), [(PRIVATE, "PS256"), (CURVE, "ES256"), (EDWARDS, "EdDSA")])
async def test_every_kind_of_public_key_is_taken_and_its_tokens_by_no_other(key: Any, algorithm: str) -> None:
    assert await user_of(FixedKey(public_pem(key), ASYMMETRIC), token(USER, key, algorithm)) == USER
    with pytest.raises(TokenRefused):
        await user_of(
            FixedKey(public_pem(ec.generate_private_key(ec.SECP256R1())), ASYMMETRIC), token(USER, key, algorithm)
        )


@pytest.mark.parametrize("header", [{"crit": ["exp"]}, {"crit": ["b64"], "b64": False}, {"b64": False}, {"crit": []}])
async def test_a_header_that_changes_the_meaning_of_the_token_is_refused(header: dict[str, Any]) -> None:
    claims = {"sub": USER, "exp": time.time() + 60}
    signed = jwt.encode(claims, JWT_SECRET, algorithm="HS256", headers=header)
    with pytest.raises(TokenRefused):
        await user_of(FixedKey(JWT_SECRET, SYMMETRIC), signed)


@pytest.fixture
async def key_server() -> AsyncIterator[KeyServer]:
    async with key_server_on() as it:
        yield it


async def test_a_key_that_the_token_brings_along_or_points_to_is_not_used(key_server: KeyServer) -> None:
    attackers = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    key_server.keys = {"one": attackers}
    headers: list[dict[str, Any]] = [{"jku": key_server.url}, {"x5u": key_server.url}, {"jwk": public_jwk(attackers)}]
    for header in headers:
        with pytest.raises(TokenRefused):
            await user_of(FixedKey(PEM, ASYMMETRIC), token_of_key(USER, "one", attackers, **header))
    assert key_server.fetches == 0


@pytest.mark.parametrize("ahead", [0, 29])
async def test_a_token_of_a_clock_that_is_a_little_ahead_is_good_at_once(ahead: float) -> None:
    ahead_of_us = token(USER, nbf=time.time() + ahead, iat=time.time() + ahead)
    assert await user_of(FixedKey(JWT_SECRET, SYMMETRIC), ahead_of_us) == USER


@pytest.mark.parametrize("claims", [{"nbf": 31}, {"exp": -1}], ids=["not yet valid", "expired"])
async def test_a_token_before_its_time_or_after_it_is_refused(claims: dict[str, float]) -> None:
    moments: dict[str, Any] = {name: time.time() + seconds for name, seconds in claims.items()}
    bearer = token(USER, **moments)
    with pytest.raises(TokenRefused):
        await user_of(FixedKey(JWT_SECRET, SYMMETRIC), bearer)


JSON_BODY = (b"content-type", b"application/json")


async def user_in(*lines: tuple[bytes, bytes]) -> str:
    """Return whom the lines of a head name."""
    return await user_of(FixedKey(JWT_SECRET, SYMMETRIC), token_of(headers_of([JSON_BODY, *lines])))


def cookie(*pairs: str) -> tuple[bytes, bytes]:
    return b"cookie", "; ".join(pairs).encode()


@pytest.mark.parametrize(
    "lines",
    [
        [cookie("access_token={ours}"), cookie("theme=dark")],
        [cookie("theme=dark"), cookie("access_token={ours}")],
        [cookie('access_token="{ours}"')],
        [cookie("access_token={ours}", "access_token={theirs}")],
        [cookie("access_token={ours}"), cookie("access_token={theirs}")],
        [cookie("access_token=", "access_token={ours}")],
        [cookie("Access_Token={theirs}", "xaccess_token={theirs}", " access_token = {ours} ")],
        [(b"authorization", b"bearer {ours}")],
        [(b"authorization", b"BEARER   {ours} ")],
        [(b"authorization", b"Bearer {ours}"), (b"authorization", b"Bearer {ours}")],
        [(b"authorization", b"Bearer {ours}"), cookie("access_token={theirs}")],
        [(b"authorization", b"Basic eDp5"), cookie("access_token={ours}")],
        [(b"authorization", b'Digest username="x", realm="y"'), cookie("access_token={ours}")],
    ],
)
async def test_the_token_is_found_however_the_lines_are_written(lines: list[tuple[bytes, bytes]]) -> None:
    tokens = {b"{ours}": token(USER).encode(), b"{theirs}": token(str(uuid.uuid4())).encode()}
    filled = lines
    for mark, bearer in tokens.items():
        filled = [(name, value.replace(mark, bearer)) for name, value in filled]
    assert await user_in(*filled) == USER


@pytest.mark.parametrize("first", [b"Bearer " + token(str(uuid.uuid4())).encode(), b"Basic eDp5"])
async def test_of_two_authorization_headers_that_differ_none_counts(first: bytes) -> None:
    ours = (b"authorization", b"Bearer " + token(USER).encode())
    for lines in ([(b"authorization", first), ours], [ours, (b"authorization", first)]):
        with pytest.raises(TokenRefused, match="one Authorization header"):
            await user_in(*lines)


async def test_a_second_content_type_does_not_let_a_cookie_count() -> None:
    with pytest.raises(TokenRefused, match="content-type"):
        await user_in((b"content-type", b"text/plain"), cookie(f"access_token={token(USER)}"))
