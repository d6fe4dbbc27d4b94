"""Who is calling: a JWT from the Authorization header, or from the cookie `access_token`."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import jwt
from cachetools import FIFOCache
from jwt.exceptions import InvalidSignatureError, PyJWTError

from attemptlog.ingest_api.keys import KeySource
from attemptlog.ingest_api.problems import Unauthenticated
from attemptlog.schemas.fields import UUID_PATTERN

MAX_TOKEN_CHARS = 8192  # what common servers take as one header line
MAX_TOKENS_KEPT = 20_000  # about 1 KiB each
# A token seen before costs 0.2 µs instead of 40; a withdrawn key is noticed this late.
TOKEN_TTL = timedelta(seconds=60)
NBF_LEEWAY = timedelta(seconds=30)  # a token that was issued by a clock ahead of ours is good at once

Headers = Mapping[bytes, bytes]  # names in lower case


@dataclass(frozen=True, slots=True)
class Caller:
    """A user whose token was verified, and is to be verified again `verified_until`; times are Unix time in seconds."""

    user_id: str
    expires_at: float
    verified_until: float


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
            claims = self._claims(token, await self._keys.keys_for(token))
        except PyJWTError as error:
            raise Unauthenticated(f"the token was refused: {type(error).__name__}") from error
        return Caller(_user_id(claims["sub"]), int(claims["exp"]), now + TOKEN_TTL.total_seconds())

    def _claims(self, token: str, keys: Sequence[Any]) -> dict[str, Any]:
        for key in keys[:-1]:
            with suppress(InvalidSignatureError):
                return self._decode(token, key)
        return self._decode(token, keys[-1])

    def _decode(self, token: str, key: Any) -> dict[str, Any]:
        """Check everything but `exp` to the second, which is left to `caller`."""
        return jwt.decode(
            token,
            key,
            algorithms=self._keys.algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=NBF_LEEWAY,
            options={"require": ["exp", "sub"], "verify_iat": False},
        )


def headers_of(raw: Sequence[tuple[bytes, bytes]]) -> Headers:
    """Return the headers of an ASGI scope by name; lines of one name become one (RFC 9110, 5.3; RFC 9113, 8.2.3)."""
    headers = dict(raw)
    if len(headers) == len(raw):
        return headers
    lines: dict[bytes, dict[bytes, None]] = {}
    for name, value in raw:
        lines.setdefault(name, {})[value] = None  # the same line twice says nothing more
    return {name: (b"; " if name == b"cookie" else b", ").join(values) for name, values in lines.items()}


def token_of(headers: Headers) -> str:
    """Return the token; a cookie counts only with a JSON body, which a foreign page cannot send without a preflight."""
    authorization = headers.get(b"authorization", b"").decode("latin-1")
    scheme, _, token = authorization.partition(" ")
    if ", " in authorization and "bearer " in authorization.lower():
        raise Unauthenticated("send one Authorization header: there are several, and they differ")
    if scheme.lower() != "bearer":
        token = _cookie(headers.get(b"cookie", b"").decode("latin-1"))
        if token and not _is_json(headers):
            raise Unauthenticated("a cookie is taken only with content-type application/json")
    if not token:
        raise Unauthenticated("send a token: Authorization: Bearer, or the cookie access_token")
    if len(token) > MAX_TOKEN_CHARS:
        raise Unauthenticated(f"the token is over {MAX_TOKEN_CHARS} characters")
    return token.strip()


def _cookie(line: str) -> str:
    """Return the first access_token that is not empty: a browser puts the most specific path first (RFC 6265, 5.4)."""
    for pair in line.split(";"):
        name, _, value = pair.partition("=")
        if name.strip() == "access_token" and (token := value.strip().strip('"')):
            return token
    return ""


def _is_json(headers: Headers) -> bool:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower() == b"application/json"


def _user_id(subject: str) -> str:
    if not re.fullmatch(UUID_PATTERN, subject):
        raise Unauthenticated("the token's sub is not a UUID")
    return subject.lower()
