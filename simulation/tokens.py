"""Tokens as the platform would issue them, for a simulated class."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import jwt

TOKEN_LIFETIME = timedelta(hours=12)  # longer than any exam that is simulated in real time


@dataclass(frozen=True, slots=True)
class TokenMint:
    """Signs HS256 tokens that the gateway with the same secret, audience and issuer takes."""

    secret: str
    audience: str | None = None
    issuer: str | None = None

    def mint(self, user_id: str, now: datetime) -> str:
        """Return a token of a user, good for TOKEN_LIFETIME from `now`."""
        claims = {"sub": user_id, "iat": now, "exp": now + TOKEN_LIFETIME, "aud": self.audience, "iss": self.issuer}
        kept = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(kept, self.secret, algorithm="HS256")
