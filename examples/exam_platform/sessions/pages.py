"""The player's pages, and the headers that keep them and the answers of the API to themselves."""

import os
from pathlib import Path
from urllib.parse import urlsplit

from fastapi.responses import HTMLResponse, RedirectResponse
from starlette.datastructures import URL, MutableHeaders
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PLAYER = Path(__file__).parents[1] / "player" / "dist"

NOT_BUILT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Exam platform</title>
<h1>The exam player is not built yet</h1>
<p>Run <code>make player</code> in the folder of attemptlog, and load this page again. The API serves already.</p>
</html>
"""

BUILT_FILES = "public, max-age=31536000, immutable"  # their names hold a hash of what is in them
REVALIDATED = "no-cache"


class Pages(StaticFiles):
    """A built player. A page asked for under another host name is sent to the public one: its cookie belongs there."""

    def __init__(self, directory: Path, public_origin: str) -> None:
        super().__init__(directory=directory, html=True, check_dir=False)
        self._index = directory / "index.html"
        self._public = urlsplit(public_origin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a file; see the ASGI specification."""
        url = URL(scope=scope)
        if url.hostname != self._public.hostname:
            there = url.replace(scheme=self._public.scheme, netloc=self._public.netloc)
            await RedirectResponse(there, headers={"cache-control": REVALIDATED})(scope, receive, send)
        elif not self._index.exists():
            await HTMLResponse(NOT_BUILT)(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)

    def file_response(
        self, full_path: str | os.PathLike[str], stat_result: os.stat_result, scope: Scope, status_code: int = 200
    ) -> Response:
        """Return the file, with how long a browser may keep it."""
        response = super().file_response(full_path, stat_result, scope, status_code)
        response.headers["cache-control"] = BUILT_FILES if "/assets/" in scope["path"] else REVALIDATED
        return response


class ProtectiveHeaders:
    """Says with every answer what a page may load and talk to, and that answers of the API are not to be kept."""

    def __init__(self, app: ASGIApp, *, telemetry_origin: str) -> None:
        self._app = app
        self._headers = {
            "content-security-policy": "default-src 'self'; "
            "img-src 'self' data:; "
            f"connect-src 'self' {telemetry_origin}; "
            "base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
            "x-content-type-options": "nosniff",
            "referrer-policy": "same-origin",
            "cache-control": "no-store",
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; see the ASGI specification."""

        async def protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, protected)
