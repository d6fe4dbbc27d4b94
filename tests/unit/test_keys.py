"""Tokens of a key set, whatever its server does: taken, refused or "not now", and nobody waits long."""

import asyncio
import json
import time
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from attemptlog.runtime.key_set import JWKS_BURST, MAX_JWKS_BYTES, MAX_WAITING, KeySet
from attemptlog.runtime.token_errors import KeysUnavailable, TokenRefused
from attemptlog.runtime.tokens import Authenticator
from tests.support.eventually import eventually
from tests.support.http import JWT_SECRET
from tests.support.key_server import (
    Answer,
    KeyServer,
    answering,
    dripping,
    endless,
    key_server_on,
    private_jwk,
    public_jwk,
    silence,
    token_of_key,
)

USER = str(uuid.uuid4())
ONE, TWO = (rsa.generate_private_key(public_exponent=65_537, key_size=2048) for _ in range(2))
CURVE = ec.generate_private_key(ec.SECP256R1())
LONG_CURVE = ec.generate_private_key(ec.SECP384R1())
EDWARDS = ed25519.Ed25519PrivateKey.generate()
SHORT, LONG = timedelta(milliseconds=50), timedelta(hours=1)


@pytest.fixture
async def key_server() -> AsyncIterator[KeyServer]:
    async with key_server_on() as it:
        it.keys = {"one": ONE}
        yield it


class Gateway:
    """The part of a gateway that says who calls; every token is one that it has not seen before."""

    def __init__(self, url: str) -> None:
        self.outcomes: Counter[str] = Counter()
        self.keys = KeySet(url, lambda outcome: self.outcomes.update([outcome]))
        self._authenticator = Authenticator(self.keys, None, None)

    async def user_of(self, kid: str | None = "one", key: Any = ONE, algorithm: str = "RS256", **header: Any) -> str:
        bearer = token_of_key(USER, kid, key, algorithm, jti=str(uuid.uuid4()), **header)
        return (await self._authenticator.caller(bearer, time.time())).user_id

    async def is_refused(self, *named: Any) -> bool:
        try:
            await self.user_of(*named)
        except TokenRefused:
            return True
        return False

    async def takes(self, *named: Any) -> bool:
        try:
            return await self.user_of(*named) == USER
        except KeysUnavailable:
            return False


def be_patient_for(moment: timedelta, monkeypatch: pytest.MonkeyPatch, *names: str) -> None:
    for name in names:
        monkeypatch.setattr(f"attemptlog.runtime.key_set.JWKS_{name}", moment)


def a_set(*jwks: Any) -> Answer:
    return answering(json.dumps({"keys": jwks}).encode())


async def test_a_token_names_its_key_in_the_set_which_is_fetched_once(key_server: KeyServer) -> None:
    it = Gateway(key_server.url)
    assert await asyncio.gather(*(it.user_of() for _ in range(50))) == [USER] * 50
    assert await it.user_of() == USER
    assert (key_server.fetches, it.outcomes) == (1, {"ok": 1})


async def test_the_set_is_fetched_before_the_first_token_comes(key_server: KeyServer) -> None:
    async with Gateway(key_server.url).keys:
        await eventually(lambda: key_server.fetches == 1)


async def test_every_kind_of_key_is_taken_with_its_own_algorithms_only(key_server: KeyServer) -> None:
    key_server.keys = {"one": ONE, "curve": CURVE, "edwards": EDWARDS}
    it = Gateway(key_server.url)
    for kid, key, algorithm in [("one", ONE, "PS256"), ("curve", CURVE, "ES256"), ("edwards", EDWARDS, "EdDSA")]:
        assert await it.user_of(kid, key, algorithm) == USER
    for kid, key, algorithm in [("curve", ONE, "RS256"), ("one", CURVE, "ES256"), ("one", JWT_SECRET, "HS256")]:
        assert await it.is_refused(kid, key, algorithm)


@pytest.mark.parametrize(
    "kid", ["../../../../dev/null", "one' OR '1' = '1", "http://127.0.0.1:1/jwks.json", "one\0", ""]
)
async def test_a_key_id_is_a_name_in_the_set_and_nothing_else(key_server: KeyServer, kid: str) -> None:
    assert await Gateway(key_server.url).is_refused(kid)


async def test_keys_come_and_go_while_the_gateway_runs(key_server: KeyServer, monkeypatch: pytest.MonkeyPatch) -> None:
    be_patient_for(SHORT, monkeypatch, "TTL")
    it = Gateway(key_server.url)
    assert await it.user_of() == USER
    key_server.keys |= {"two": TWO}
    assert await it.user_of("two", TWO) == USER
    del key_server.keys["one"]
    await eventually(it.is_refused, interval=0.01)


async def test_strangers_who_name_unknown_keys_cause_few_fetches_and_delay_nobody(
    key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient_for(LONG, monkeypatch, "TIMEOUT")
    it = Gateway(key_server.url)
    assert await it.user_of() == USER
    key_server.answer = silence
    strangers = [asyncio.create_task(it.is_refused(f"key {n}")) for n in range(MAX_WAITING * 2)]
    await eventually(lambda: key_server.fetches == 2)
    assert await asyncio.gather(*(it.user_of() for _ in range(20))) == [USER] * 20
    assert sum(not stranger.done() for stranger in strangers) == MAX_WAITING, "they wait still"
    for stranger in strangers:
        stranger.cancel()
    await asyncio.gather(*strangers, return_exceptions=True)
    assert key_server.fetches == 2


async def test_an_unknown_key_is_refused_after_a_look_and_over_the_budget_it_cannot_be_said(
    key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient_for(LONG, monkeypatch, "COOLDOWN")
    it = Gateway(key_server.url)
    assert await it.user_of() == USER
    for n in range(JWKS_BURST):
        assert await it.is_refused(f"key {n}")
        assert await it.is_refused(f"key {n}")  # remembered
    with pytest.raises(KeysUnavailable) as told:
        await it.user_of("another")
    assert told.value.retry_after
    assert key_server.fetches == 1 + JWKS_BURST


async def test_without_a_key_server_a_token_cannot_be_checked_and_nobody_asks_again_at_once(
    key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient_for(SHORT, monkeypatch, "TIMEOUT")
    be_patient_for(LONG, monkeypatch, "RETRY")
    it, key_server.answer = Gateway(key_server.url), silence
    answers = await asyncio.gather(*(it.user_of() for _ in range(60)), return_exceptions=True)
    assert {type(answer) for answer in answers} == {KeysUnavailable}
    be_patient_for(LONG, monkeypatch, "TIMEOUT")
    with pytest.raises(KeysUnavailable) as told:
        await asyncio.wait_for(it.user_of(), 1)
    assert told.value.retry_after
    assert (key_server.fetches, it.outcomes, it.keys.is_ready) == (1, {"failed": 1}, False)


async def test_where_nothing_listens_a_token_cannot_be_checked() -> None:
    with pytest.raises(KeysUnavailable):
        await Gateway("http://127.0.0.1:1/jwks.json").user_of()


GOOD = {"kid": "one", **public_jwk(ONE)}
WRONG: dict[str, Answer] = {
    "html": answering(b"<html>Sign in</html>"),
    "empty": answering(b""),
    "deep": answering(b'{"keys":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    "null": answering(b"null"),
    "list": answering(b"[]"),
    "text": answering(b'{"keys": "one"}'),
    "not utf-8": answering(b'{"keys": ["\xff"]}'),
    "no key": a_set(),
    "no keys": answering(b"{}"),
    "no objects": a_set(1, None, "one", [GOOD]),
    "private": a_set({"kid": "one", **private_jwk(ONE)}),
    "secret": a_set({"kid": "one", "kty": "oct", "k": "c2VjcmV0"}),
    "kind": a_set({"kid": "one", "kty": "XYZ"}, {"kid": "one"}, {"kid": "one", "kty": ["RSA"]}),
    "curve": a_set({"kid": "one", **public_jwk(LONG_CURVE)}),
    "numbers": a_set(
        GOOD | {"n": 7}, GOOD | {"n": "%"}, GOOD | {"n": ""}, GOOD | {"e": [1]}, GOOD | {"n": "AQ" * 9000}
    ),
    "algorithm": a_set(GOOD | {"alg": "RS512"}, GOOD | {"alg": ["RS256"]}, GOOD | {"alg": "HS256"}),
    "encryption": a_set(GOOD | {"use": "enc"}, GOOD | {"key_ops": ["encrypt"]}),
    "large": answering(json.dumps({"keys": [GOOD]}).encode() + b" " * MAX_JWKS_BYTES),
    "endless": endless,
    "cut": answering(b'{"keys": ['),
    "redirect": answering(b"", "302 Found", "location: http://127.0.0.1:1/"),
    "created": answering(json.dumps({"keys": [GOOD]}).encode(), "201 Created"),
    "no content": answering(b"", "204 No Content"),
    "error": answering(json.dumps({"keys": [GOOD]}).encode(), "500 Internal Server Error"),
    "forbidden": answering(b"", "403 Forbidden"),
    "compressed": answering(b"\x1f\x8b", "200 OK", "content-encoding: gzip"),
    "not http": answering(b"", "200 OK", "\0: \0"),
    "slow": dripping(json.dumps({"keys": [GOOD]}).encode(), 0.02),
    "silent": silence,
}


@pytest.mark.parametrize("name", WRONG)
async def test_a_wrong_answer_means_cannot_check_now_for_new_keys_nothing_for_known_ones_and_is_got_over(
    key_server: KeyServer, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient_for(SHORT, monkeypatch, "TIMEOUT", "RETRY", "TTL")
    new, running = Gateway(key_server.url), Gateway(key_server.url)
    assert await running.user_of() == USER
    key_server.answer = WRONG[name]
    for kid in ("one", "two", None):
        with pytest.raises(KeysUnavailable) as told:
            await new.user_of(kid)
        assert told.value.retry_after
    with pytest.raises(KeysUnavailable):
        await running.user_of("two", TWO)
    assert await running.user_of() == USER
    key_server.answer, key_server.keys = None, {"one": ONE, "two": TWO}
    await eventually(lambda: new.takes("two", TWO), interval=0.01)
    await eventually(lambda: running.takes("two", TWO), interval=0.01)
    assert new.keys.is_ready


async def test_known_keys_outlast_an_outage_but_not_for_ever(
    key_server: KeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    be_patient_for(SHORT, monkeypatch, "TTL", "RETRY")
    it = Gateway(key_server.url)
    assert await it.user_of() == USER
    key_server.answer = answering(b"", "503 Service Unavailable")

    async def is_away() -> bool:
        assert await it.takes()
        return not it.keys.is_ready

    await eventually(is_away, interval=0.01)
    be_patient_for(SHORT, monkeypatch, "KEPT")

    async def is_forgotten() -> bool:
        return not await it.takes()

    await eventually(is_forgotten, interval=0.01)


async def test_one_key_that_is_of_no_use_leaves_the_others(key_server: KeyServer) -> None:
    two = {"kid": "two", **public_jwk(TWO)}
    key_server.answer = a_set({"kid": "one", **private_jwk(ONE)}, 7, {"kid": ["x"]}, two)
    it = Gateway(key_server.url)
    assert await it.user_of("two", TWO) == USER
    with pytest.raises(KeysUnavailable, match="of no use"):
        await it.user_of("one", ONE)


async def test_keys_for_encryption_sign_nothing(key_server: KeyServer) -> None:
    key_server.answer = a_set(GOOD | {"use": "enc"}, {"kid": "two", **public_jwk(TWO)})
    assert await Gateway(key_server.url).is_refused("one", ONE)


async def test_several_keys_may_have_one_id(key_server: KeyServer) -> None:
    key_server.answer = a_set(*({"kid": "one", **public_jwk(key)} for key in (TWO, CURVE, ONE)))
    it = Gateway(key_server.url)
    assert await it.user_of("one", ONE) == await it.user_of("one", TWO) == USER
    assert await it.user_of("one", CURVE, "ES256") == USER
    assert await it.is_refused("one", rsa.generate_private_key(public_exponent=65_537, key_size=2048))


async def test_a_token_without_a_key_id_may_be_any_keys(key_server: KeyServer) -> None:
    key_server.answer = a_set(public_jwk(TWO), GOOD)
    it = Gateway(key_server.url)
    assert await it.user_of(None, ONE) == await it.user_of(None, TWO) == USER
    assert await it.is_refused(None, CURVE, "ES256")


async def test_a_token_that_is_none_makes_nobody_fetch(key_server: KeyServer) -> None:
    it = Gateway(key_server.url)
    for bearer in ("x", "a.b.c", "é" * 10, "e30.e30.", "W1tbW1tbW1s." * 2 + "x"):
        with pytest.raises(TokenRefused):
            await it._authenticator.caller(bearer, time.time())
    assert key_server.fetches == 0
