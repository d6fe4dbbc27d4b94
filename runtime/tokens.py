"""Whose token it is: a JWT (RFC 7519), verified with the keys that are trusted."""

import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

import jwt
from cachetools import FIFOCache
from jwt.exceptions import InvalidSignatureError, PyJWTError

from attemptlog.runtime.keys import KeySource
from attemptlog.runtime.token_errors import TokenRefused
from attemptlog.schemas.fields import UUID_PATTERN

MAX_TOKEN_CHARS = 8192  # what common servers take as one header line
MAX_TOKENS_KEPT = 20_000  # about 1 KiB each
# A token seen before costs 0.2 µs instead of 40; a withdrawn key is noticed this late. As long as its key is there, a
# token that was verified once is not verified again.
TOKEN_TTL = timedelta(seconds=60)
NBF_LEEWAY = timedelta(seconds=30)  # a token that was issued by a clock ahead of ours is good at once


@dataclass(frozen=True, slots=True)
class Caller:
    """A user whose token was verified, and whose key is looked for again after `verified_until`.

    Times are Unix time in seconds. `claims` are those that the Authenticator was told to keep, as the token has them;
    `key` verified it.
    """

    user_id: str
    expires_at: float
    verified_until: float
    claims: Mapping[str, Any] = field(default_factory=dict, compare=False)
    key: Any = field(default=None, compare=False, repr=False)


class Authenticator:
    """Verifies tokens and remembers those it verified, for TOKEN_TTL at most; of their claims only the `kept` ones."""

    def __init__(
        self, keys: KeySource, audience: str | None, issuer: str | None, kept: frozenset[str] = frozenset()
    ) -> None:
        self._kept = kept
        self._keys = keys
        self._audience = audience
        self._issuer = issuer
        self._callers: FIFOCache[str, Caller] = FIFOCache(MAX_TOKENS_KEPT)

    async def caller(self, token: str, now: float) -> Caller:
        """Return whose token it is; `now` is Unix time in seconds. Raise TokenRefused, or KeysUnavailable."""
        if len(token) > MAX_TOKEN_CHARS:
            raise TokenRefused(f"the token is over {MAX_TOKEN_CHARS} characters")
        caller = self._callers.get(token)
        if caller is None or caller.verified_until <= now:
            caller = self._callers[token] = await self._verify(token, now, caller)
        if caller.expires_at <= now:
            raise TokenRefused("the token has expired; log in again")
        return caller

    async def _verify(self, token: str, now: float, before: Caller | None) -> Caller:
        until = now + TOKEN_TTL.total_seconds()
        try:
            keys = await self._keys.keys_for(token)
            if before is not None and any(key is before.key for key in keys):
                return replace(before, verified_until=until)
            claims, key = self._claims(token, keys)
        except PyJWTError as error:
            raise TokenRefused(f"the token was refused: {type(error).__name__}") from error
        kept = {name: claims[name] for name in self._kept & claims.keys()}
        return Caller(_user_id(claims["sub"]), int(claims["exp"]), until, kept, key)

    def _claims(self, token: str, keys: Sequence[Any]) -> tuple[dict[str, Any], Any]:
        for key in keys[:-1]:
            with suppress(InvalidSignatureError):
                return self._decode(token, key), key
        return self._decode(token, keys[-1]), keys[-1]

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


def _user_id(subject: str) -> str:
    if not re.fullmatch(UUID_PATTERN, subject):
        raise TokenRefused("the token's sub is not a UUID")
    return subject.lower()
