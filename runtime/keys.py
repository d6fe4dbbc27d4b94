"""The keys that tokens are checked with: which are trusted is a setting."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol, Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from attemptlog.runtime.jwk import ASYMMETRIC, SYMMETRIC
from attemptlog.runtime.key_set import KeySet

MIN_SECRET_BYTES = 32  # RFC 7518, 3.2


class TokenSettings(BaseSettings):
    """Whose tokens are taken, `ATTEMPTLOG_` in front; exactly one of secret, public key and URL is set."""

    model_config = SettingsConfigDict(env_prefix="ATTEMPTLOG_", extra="ignore", hide_input_in_errors=True)

    jwt_secret: Annotated[SecretStr | None, Field(description="HS256 secret, 32 bytes or more.")] = None
    jwt_public_key: Annotated[str | None, Field(description="PEM public key: RS256, ES256, EdDSA, PS256.")] = None
    jwt_jwks_url: Annotated[str | None, Field(description="URL of a JWK set with public keys.")] = None
    jwt_audience: Annotated[str | None, Field(description="Required `aud`; unset: tokens must have none.")] = None
    jwt_issuer: Annotated[str | None, Field(description="Required `iss`; unset: any.")] = None

    @model_validator(mode="after")
    def _one_way_to_trust(self) -> Self:
        keys = [self.jwt_secret, self.jwt_public_key, self.jwt_jwks_url]
        if sum(key is not None for key in keys) != 1:
            raise ValueError(
                "set exactly one of ATTEMPTLOG_JWT_SECRET, ATTEMPTLOG_JWT_PUBLIC_KEY and ATTEMPTLOG_JWT_JWKS_URL"
            )
        if self.jwt_secret is not None and len(self.jwt_secret.get_secret_value().encode()) < MIN_SECRET_BYTES:
            raise ValueError(f"ATTEMPTLOG_JWT_SECRET must be {MIN_SECRET_BYTES} bytes or more (RFC 7518, 3.2)")
        return self

    @field_validator("jwt_jwks_url")
    @classmethod
    def _is_an_address(cls, url: str | None) -> str | None:
        try:
            parts = urlsplit(url or "http://none")
            is_address = parts.scheme in {"http", "https"} and parts.hostname and (parts.port or 1)
        except ValueError:
            is_address = False
        if not is_address:
            raise ValueError("must be the URL of a JWK set, such as https://login.example/jwks.json")
        return url


class KeySource(Protocol):
    """Where the key for a token comes from. Use as `async with`; opening never fails and never waits."""

    algorithms: list[str]

    async def __aenter__(self) -> Self: ...

    async def __aexit__(self, *exc_info: object) -> None: ...

    @property
    def is_ready(self) -> bool:
        """False after a fetch that failed, until one succeeds."""
        ...

    async def keys_for(self, token: str) -> Sequence[Any]:
        """Return the keys, at least one, that may have signed a token.

        Raises TokenRefused or PyJWTError when there is none, and KeysUnavailable when that cannot be said now.
        """
        ...


class FixedKey:
    """One secret, or one public key in PEM."""

    is_ready = True

    def __init__(self, key: str, algorithms: list[str]) -> None:
        self._key = key
        self.algorithms = algorithms

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *exc_info: object) -> None: ...

    async def keys_for(self, token: str) -> Sequence[str]:
        return [self._key]


def key_source(settings: TokenSettings, count: Callable[[str], object] = lambda _: None) -> KeySource:
    """Return the one source that the settings name; `count` is told the outcome of each fetch of a key set."""
    if settings.jwt_secret is not None:
        return FixedKey(settings.jwt_secret.get_secret_value(), SYMMETRIC)
    if settings.jwt_public_key is not None:
        return FixedKey(settings.jwt_public_key, ASYMMETRIC)
    assert settings.jwt_jwks_url is not None  # noqa: S101  # the settings hold exactly one
    return KeySet(settings.jwt_jwks_url, count)
