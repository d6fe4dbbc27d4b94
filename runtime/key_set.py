"""A JWK set that is fetched from a key server and kept."""

import asyncio
import logging
import ssl
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import Any, Self

import httpx
import jwt
from cachetools import TTLCache

from attemptlog.runtime.jwk import ASYMMETRIC, JwkSet, WrongAnswer
from attemptlog.runtime.rate import TokenBuckets
from attemptlog.runtime.token_errors import KeysUnavailable, TokenRefused

logger = logging.getLogger(__name__)

JWKS_TIMEOUT = timedelta(seconds=3)  # for the whole answer, however slowly its bytes come
JWKS_RETRY = timedelta(seconds=5)  # after a failure; meanwhile nobody waits for a key server that is away
JWKS_TTL = timedelta(minutes=5)  # a key that was taken out of the set is noticed this late
JWKS_KEPT = timedelta(hours=24)  # an exam outlasts an outage of the key server, a withdrawn key no more than a day
# Anyone can name a key that the set does not hold: that causes JWKS_BURST fetches at once, and one each JWKS_COOLDOWN.
JWKS_COOLDOWN = timedelta(seconds=5)
JWKS_BURST = 5
MAX_JWKS_BYTES = 256 * 1024  # a key with its certificates takes 4 KiB
MAX_WAITING = 64  # for one fetch; each holds a request, and those whose key is known must find room
MAX_ABSENT = 1_000  # key ids remembered that the set did not hold
OK, FAILED = FETCH_OUTCOMES = ("ok", "failed")


class KeySet:
    """A JWK set (RFC 7517) behind a URL; rotation needs no restart.

    A known key is answered at once, whatever the key server does, and for JWKS_KEPT after the last good answer. A
    token whose key is not known waits for one fetch that all of them share. Whatever else than a JWK set comes back
    counts as a failure, and is not asked for again before JWKS_RETRY. `count` is told the outcome of each fetch.
    """

    algorithms = ASYMMETRIC

    def __init__(self, url: str, count: Callable[[str], object] = lambda _: None) -> None:
        self._url = url
        self._count = count
        self._set: JwkSet | None = None
        self._fetched_at = 0.0
        self._failed_until = 0.0
        self._fetching: asyncio.Task[None] | None = None
        self._waiting = 0
        self._budget = TokenBuckets(1 / JWKS_COOLDOWN.total_seconds(), JWKS_BURST)
        self._absent: TTLCache[str, bool] = TTLCache(MAX_ABSENT, JWKS_COOLDOWN.total_seconds())
        self._tls: ssl.SSLContext | None = None
        self.is_ready = True

    async def __aenter__(self) -> Self:
        self._begin_fetch()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            with suppress(asyncio.CancelledError):
                await self._fetching

    async def keys_for(self, token: str) -> Sequence[Any]:
        """Return the keys of the id that the token names; see `keys.KeySource`."""
        header = jwt.get_unverified_header(token)
        kid, algorithm = header.get("kid"), header.get("alg")
        if algorithm not in self.algorithms:
            raise TokenRefused("the token was refused: its algorithm is none of a key set's")
        known = self._known(time.monotonic())
        keys = known.keys_for(kid, algorithm) if known else None
        return keys if keys is not None else await self._look_for(kid, algorithm)

    def _known(self, now: float) -> JwkSet | None:
        age = now - self._fetched_at
        if age > JWKS_KEPT.total_seconds():
            self._set = None
        elif age > JWKS_TTL.total_seconds() and now >= self._failed_until:
            self._begin_fetch()
        return self._set

    async def _look_for(self, kid: str | None, algorithm: str) -> Sequence[Any]:
        if kid in self._absent:
            raise _no_such_key()
        await self._fetched(time.monotonic())
        keys = self._set.keys_for(kid, algorithm) if self._set else None
        if keys is None:
            if kid is not None:
                self._absent[kid] = True
            raise _no_such_key()
        return keys

    async def _fetched(self, now: float) -> None:
        """Return when the set is newer than `now`; raise KeysUnavailable when it cannot be had."""
        if now < self._failed_until:
            raise _cannot_check(self._failed_until - now)
        if self._fetching is None and self._set is not None and (wait := self._budget.wait_before("", 1, now)):
            raise _cannot_check(wait)
        if self._waiting >= MAX_WAITING:
            raise _cannot_check(JWKS_TIMEOUT.total_seconds())
        await self._wait_for(self._begin_fetch())
        if self._fetched_at < now:
            raise _cannot_check(JWKS_RETRY.total_seconds())

    async def _wait_for(self, fetching: asyncio.Task[None]) -> None:
        self._waiting += 1
        try:
            await asyncio.wait({fetching}, timeout=JWKS_TIMEOUT.total_seconds())
        finally:
            self._waiting -= 1

    def _begin_fetch(self) -> asyncio.Task[None]:
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._fetch())
        return self._fetching

    async def _fetch(self) -> None:
        try:
            async with asyncio.timeout(JWKS_TIMEOUT.total_seconds()):
                self._set = JwkSet(await self._download())
        except Exception as error:  # whatever a server can bring about: the keys that are known stay
            self._note_failure(str(error) if isinstance(error, WrongAnswer) else type(error).__name__)
        else:
            self._fetched_at, self._failed_until, self.is_ready = time.monotonic(), 0.0, True
            self._count(OK)
        finally:
            self._fetching = None

    async def _download(self) -> bytes:
        self._tls = self._tls or ssl.create_default_context()
        body = bytearray()
        async with (
            httpx.AsyncClient(verify=self._tls, timeout=JWKS_TIMEOUT.total_seconds()) as client,
            client.stream("GET", self._url, headers={"accept-encoding": "identity"}) as answer,
        ):
            if answer.status_code != httpx.codes.OK:  # a redirect, too: the URL is the one that is trusted
                raise WrongAnswer(f"the answer is {answer.status_code}")
            async for chunk in answer.aiter_raw():
                body += chunk
                if len(body) > MAX_JWKS_BYTES:
                    raise WrongAnswer(f"the answer is over {MAX_JWKS_BYTES} bytes")
        return bytes(body)

    def _note_failure(self, why: str) -> None:
        self._failed_until = time.monotonic() + JWKS_RETRY.total_seconds()
        self._count(FAILED)
        if self.is_ready:
            logger.warning("the key set cannot be fetched: %s", why, extra={"action": "key_set_away", "error": why})
        self.is_ready = False


def _no_such_key() -> TokenRefused:
    return TokenRefused("the token was refused: the key set holds no key of its id")


def _cannot_check(retry_after: float) -> KeysUnavailable:
    return KeysUnavailable("the key for this token cannot be fetched now", retry_after)
