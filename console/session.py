"""Logging in: a token is kept in a cookie that no script can read, until it expires or its owner logs out."""

import re
import time
from datetime import timedelta
from typing import Annotated

from fastapi import Request, Response
from pydantic import BaseModel, Field

from attemptlog.console.guard import ANYBODY, COOKIE, ViewerDep, api_router, only, verified
from attemptlog.console.models import Me
from attemptlog.console.services import Services, ServicesDep
from attemptlog.console.viewer import ROLES
from attemptlog.event_store.viewing import Viewer
from attemptlog.runtime.token_errors import TokenRefused
from attemptlog.runtime.tokens import MAX_TOKEN_CHARS

router = api_router()

JWT = re.compile(r"[\w-]+\.[\w-]+\.[\w-]+", re.ASCII)
LONGEST_COOKIE = timedelta(days=400)  # browsers keep none for longer (RFC 6265bis, 5.5)
MAX_COOKIE_CHARS = 4000  # browsers keep 4,096 bytes of name, value and attributes (RFC 6265, 6.1)


class Entry(BaseModel):
    """The body of POST /api/session."""

    token: Annotated[str, Field(max_length=MAX_TOKEN_CHARS)]


@router.post("/api/session", dependencies=ANYBODY)
async def enter(entry: Entry, request: Request, response: Response, of: ServicesDep) -> Me:
    """Take a token, and keep it in a cookie."""
    if not JWT.fullmatch(entry.token):
        raise TokenRefused("this is no token: it has to be a JWT")
    if len(entry.token) > MAX_COOKIE_CHARS:
        raise TokenRefused(
            f"the token is over {MAX_COOKIE_CHARS} characters, more than a browser keeps: name fewer exams"
        )
    who, now = await verified(entry.token, of), time.time()
    expires_at = (await of.authenticator.caller(entry.token, now)).expires_at
    response.set_cookie(
        COOKIE,
        entry.token,
        max_age=int(min(expires_at, now + LONGEST_COOKIE.total_seconds()) - now),
        httponly=True,
        samesite="strict",
        secure=_is_secure(request),
    )
    return _me(who, of)


@router.delete("/api/session", dependencies=ANYBODY)
async def leave(request: Request, response: Response) -> dict[str, str]:
    """Forget the token."""
    response.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=_is_secure(request))
    return {}


@router.get("/api/me", dependencies=only(*ROLES))
async def me(who: ViewerDep, of: ServicesDep) -> Me:
    """Say who asks, and as what they look."""
    return _me(who, of)


def _me(who: Viewer, of: Services) -> Me:
    return Me(user_id=who.user_id, role=who.role, exams=list(who.exams), platform_url=of.settings.console_platform_url)


def _is_secure(request: Request) -> bool:
    """Say whether the browser came by https; where TLS ends at a proxy, only its page's origin tells."""
    return request.url.scheme == "https" or request.headers.get("origin", "").startswith("https://")
