"""The console as an application in this process."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.types import Receive, Scope, Send

from attemptlog.console.app import Console, create_app
from attemptlog.console.settings import ConsoleSettings
from tests.support.http import JWT_SECRET, token

NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
NO_PAGES = Path("/nonexistent")


def console(database_url: str = NOWHERE, pages: Path = NO_PAGES, **settings: object) -> Console:
    """Return a console; `settings` are those of ConsoleSettings."""
    given = {"database_url": database_url, "jwt_secret": JWT_SECRET} | settings
    return create_app(ConsoleSettings.model_validate(given), pages=pages)


@asynccontextmanager
async def client_of(app: Console) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of the console; of what it raises, the client sees the answer."""
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://console") as client:
            yield client


def bearer(user: str, role: str | None = None, exams: Any = None, **claims: Any) -> dict[str, str]:
    """Return the headers of somebody with a role, for as long as tests take; `exams` are an examiner's."""
    named = {"attemptlog_role": role, "attemptlog_exams": exams, "exp": time.time() + 3600} | claims
    return {"authorization": f"Bearer {token(user, **named)}"}
