"""Who is calling: a JWT in a cookie that pages cannot read and other sites cannot use; the gateway takes it too."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID, uuid5

import jwt
from fastapi import Response

from examples.exam_platform.sessions.problems import Unauthenticated
from examples.exam_platform.sessions.settings import PlatformSettings

COOKIE = "access_token"
ALGORITHM = "HS256"
LIFETIME = timedelta(hours=8)  # longer than any exam: nobody is logged out in the middle of one

Office = Literal["examiner", "operator", "auditor"]  # who looks at attemptlog's console, beside the candidates
STAFF = UUID("5f0c3a52-6f0b-4a8e-9c1e-7d0a4c3b2a10")  # this example's own namespace (RFC 9562, 5.5)


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
        return self._sign({"sub": str(user_id)}, now)

    def issue_to_staff(self, office: Office, exams: Sequence[UUID], now: datetime) -> str:
        """Return a token for attemptlog's console; an examiner's names the exams that are theirs."""
        claims: dict[str, Any] = {"sub": str(uuid5(STAFF, office)), "attemptlog_role": office}
        if office == "examiner":
            claims["attemptlog_exams"] = [str(exam) for exam in exams]
        return self._sign(claims, now)

    def _sign(self, claims: dict[str, Any], now: datetime) -> str:
        claims |= {"exp": now + LIFETIME, "aud": self._audience, "iss": self._issuer}
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
