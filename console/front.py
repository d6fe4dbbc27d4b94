"""What every request passes and every answer gets, whatever serves it."""

import time
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from attemptlog.console.metrics import Metrics
from attemptlog.console.problems import BodyTooLarge, CrossSite, NotJson, Problem, answer

MAX_BODY_BYTES = 64 * 1024  # a token, or the ids of some hundred dead letters
TOO_LARGE = f"this is over {MAX_BODY_BYTES} bytes, and nothing that is sent here is as large"
API = "/api/"
ASSETS = "/assets/"  # Vite names them by their content

OWN_SITE = frozenset({"same-origin", "none"})  # `none`: the address was typed, or comes from outside of any page
READS = frozenset({"GET", "HEAD"})

PROTECTION = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    ),
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "referrer-policy": "no-referrer",
    "x-content-type-options": "nosniff",
}
KEPT = "public, max-age=31536000, immutable"


class Front:
    """Refuses what another site's page asks, protects the answers, and counts them.

    A slash at the end of an address makes no difference, and HEAD is served wherever GET is.
    """

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; see the ASGI specification."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, path = time.perf_counter(), scope["path"]
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def protected(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                _protect(message, path, status)
            await send(message)

        try:
            await self._serve(scope, receive, protected)
        finally:
            self._metrics.answered(status, time.perf_counter() - began if path.startswith(API) else None)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith(API) and (problem := _fault(scope)):
            await answer(problem)(scope, receive, send)
        else:
            await self._app(_as_served(scope), receive, send)


def _as_served(scope: Scope) -> Scope:
    """Return a request as the routes know it; the server leaves out the body of an answer to HEAD (ASGI, HTTP)."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "path": scope["path"].rstrip("/") or "/"}


def _fault(scope: Scope) -> Problem | None:
    """Return why a request is not for us: only our own pages, and programs, may ask, and in few words.

    A body that does not say how large it is has the same bound where it is read.
    """
    headers = Headers(scope=scope)
    if headers.get("sec-fetch-site", "none") not in OWN_SITE:
        return CrossSite("the console answers its own pages only")
    is_json = headers.get("content-type", "").partition(";")[0].strip().lower() == "application/json"
    if scope["method"] not in READS and not is_json:
        return NotJson("send it as content-type application/json")
    if (length := headers.get("content-length", "0")).isdecimal() and int(length) > MAX_BODY_BYTES:
        return BodyTooLarge(TOO_LARGE)
    return None


def _protect(message: Message, path: str, status: int) -> None:
    headers = MutableHeaders(scope=message)
    headers.update(PROTECTION)
    is_kept = path.startswith(ASSETS) and status == HTTPStatus.OK
    headers["cache-control"] = KEPT if is_kept else "no-store"
