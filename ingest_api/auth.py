"""Who is calling: a JWT from the Authorization header, or from the cookie `access_token`."""

import asyncio
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

import jwt
from cachetools import FIFOCache
from jwt.exceptions import PyJWKClientConnectionError, PyJWTError
from starlette.requests import cookie_parser

from ingest_api.problems import Unauthenticated, Unavailable
from ingest_api.settings import IngestSettings
from schemas.fields import UUID_PATTERN

MAX_TOKEN_CHARS = 8192  # what common servers take as one header line
MAX_TOKENS_KEPT = 20_000  # about 1 KiB each
# A token seen before costs 0.2 µs instead of 40; a withdrawn key is noticed this late.
TOKEN_TTL = timedelta(seconds=60)
JWKS_TIMEOUT = timedelta(seconds=3)
JWKS_RETRY = timedelta(seconds=5)
JWKS_TTL = timedelta(minutes=5)  # a key that was taken out of the set is noticed this late
JWKS_COOLDOWN = timedelta(seconds=5)  # between two fetches for keys that the set did not hold: anyone can name such
# Chosen by the kind of key, never by the token, so that a public key is never taken for an HMAC secret.
SYMMETRIC = ["HS256"]
ASYMMETRIC = ["RS256", "PS256", "ES256", "EdDSA"]


Headers = Mapping[bytes, bytes]  # names in lower case


@dataclass(frozen=True, slots=True)
class Caller:
    """A user whose token was verified, and is to be verified again `verified_until`; times are Unix time in seconds."""

    user_id: str
    expires_at: float
    verified_until: float


class KeySource(Protocol):
    """Where the key for a token comes from."""

    algorithms: list[str]

    async def key_for(self, token: str) -> Any:
        """Return a key PyJWT takes; raise PyJWTError when there is none for this token."""
        ...


class FixedKey:
    """One secret, or one public key in PEM."""

    def __init__(self, key: str, algorithms: list[str]) -> None:
        self._key = key
        self.algorithms = algorithms

    async def key_for(self, token: str) -> str:
        return self._key


class KeySet:
    """A JWK set that is fetched when a token names a key it does not hold; rotation needs no restart."""

    algorithms = ASYMMETRIC

    def __init__(self, url: str) -> None:
        self._client = jwt.PyJWKClient(
            url,
            lifespan=JWKS_TTL.total_seconds(),
            timeout=JWKS_TIMEOUT.total_seconds(),
            cooldown_duration=JWKS_COOLDOWN.total_seconds(),
        )

    async def key_for(self, token: str) -> Any:
        return (await asyncio.to_thread(self._client.get_signing_key_from_jwt, token)).key


def key_source(settings: IngestSettings) -> KeySource:
    """Return the one source that the settings name."""
    if settings.jwt_secret is not None:
        return FixedKey(settings.jwt_secret.get_secret_value(), SYMMETRIC)
    if settings.jwt_public_key is not None:
        return FixedKey(settings.jwt_public_key, ASYMMETRIC)
    assert settings.jwt_jwks_url is not None  # noqa: S101  # the settings hold exactly one
    return KeySet(settings.jwt_jwks_url)


class Authenticator:
    """Verifies tokens and remembers those it verified, for TOKEN_TTL at most."""

    def __init__(self, keys: KeySource, audience: str | None, issuer: str | None) -> None:
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._callers: FIFOCache[str, Caller] = FIFOCache(MAX_TOKENS_KEPT)

    async def caller(self, headers: Headers, now: float) -> Caller:
        """Return who calls; `now` is Unix time in seconds. Raise Unauthenticated, or Unavailable without a JWK set."""
        token = token_of(headers)
        caller = self._callers.get(token)
        if caller is None or caller.verified_until <= now:
            caller = self._callers[token] = await self._verify(token, now)
        if caller.expires_at <= now:
            raise Unauthenticated("the token has expired; log in again")
        return caller

    async def _verify(self, token: str, now: float) -> Caller:
        try:
            key = await self._keys.key_for(token)
            claims = jwt.decode(
                token,
                key,
                algorithms=self._keys.algorithms,
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "sub"], "verify_iat": False},
            )
        except PyJWKClientConnectionError as error:
            raise Unavailable(
                "the keys for tokens cannot be fetched", retry_after=JWKS_RETRY.total_seconds()
            ) from error
        except PyJWTError as error:
            raise Unauthenticated(f"the token was refused: {type(error).__name__}") from error
        return Caller(_user_id(claims["sub"]), int(claims["exp"]), now + TOKEN_TTL.total_seconds())


def token_of(headers: Headers) -> str:
    """Return the token; a cookie counts only with a JSON body, which a foreign page cannot send without a preflight."""
    scheme, _, token = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
    if scheme.lower() != "bearer":
        token = cookie_parser(headers.get(b"cookie", b"").decode("latin-1")).get("access_token", "")
        if token and not _is_json(headers):
            raise Unauthenticated("a cookie is taken only with content-type application/json")
    if not token:
        raise Unauthenticated("send a token: Authorization: Bearer, or the cookie access_token")
    if len(token) > MAX_TOKEN_CHARS:
        raise Unauthenticated(f"the token is over {MAX_TOKEN_CHARS} characters")
    return token.strip()


def _is_json(headers: Headers) -> bool:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == b"application/json"


def _user_id(subject: str) -> str:
    if not re.fullmatch(UUID_PATTERN, subject):
        raise Unauthenticated("the token's sub is not a UUID")
    return subject.lower()
