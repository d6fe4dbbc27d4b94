"""Who is calling: a JWT in a cookie that pages cannot read and other sites cannot use; the gateway takes it too."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import jwt
from fastapi import Response

from examples.exam_platform.sessions.problems import Unauthenticated
from examples.exam_platform.sessions.settings import PlatformSettings

COOKIE = "access_token"
ALGORITHM = "HS256"
LIFETIME = timedelta(hours=8)  # longer than any exam: nobody is logged out in the middle of one


class Tokens:
    """Issues tokens and reads them back."""

    def __init__(self, settings: PlatformSettings) -> None:
        self._secret = settings.jwt_secret.get_secret_value()
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._is_https = settings.is_https

    def give(self, user_id: UUID, response: Response) -> None:
        """Log a candidate in: put a token into the response's cookie."""
        response.set_cookie(
            COOKIE,
            self.issue(user_id, datetime.now(UTC)),
            max_age=int(LIFETIME.total_seconds()),
            path="/",
            httponly=True,
            samesite="strict",
            secure=self._is_https,
        )

    def issue(self, user_id: UUID, now: datetime) -> str:
        """Return a token that is good for LIFETIME from `now`; it holds no name."""
        claims = {"sub": str(user_id), "exp": now + LIFETIME, "aud": self._audience, "iss": self._issuer}
        return jwt.encode({name: it for name, it in claims.items() if it is not None}, self._secret, ALGORITHM)

    def user_of(self, token: str | None) -> UUID:
        """Return whose token it is; raise Unauthenticated."""
        if not token:
            raise Unauthenticated("log in")
        try:
            claims = jwt.decode(
                token,
                self._secret,
                algorithms=[ALGORITHM],  # never what the token says
                audience=self._audience,
                issuer=self._issuer,
                options={"require": ["exp", "sub"]},
            )
            return UUID(claims["sub"])
        except (jwt.PyJWTError, ValueError) as error:
            raise Unauthenticated(f"log in again: {type(error).__name__}") from error
