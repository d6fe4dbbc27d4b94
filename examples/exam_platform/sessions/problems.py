"""Refusals as application/problem+json (RFC 9457): each is raised where it is found and answered here."""

import logging
from collections.abc import Mapping
from http import HTTPStatus

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from psycopg import OperationalError
from starlette.exceptions import HTTPException as AnyHTTPException

logger = logging.getLogger(__name__)

RETRY_AFTER = "1"  # seconds; a PostgreSQL that restarts is often back by then


class Problem(HTTPException):
    """A request that is not served; `detail` says what the caller should do."""

    status: HTTPStatus
    code: str

    def __init__(self, detail: str) -> None:
        super().__init__(self.status, detail)


class BadRequest(Problem):
    """Not JSON, or not the shape that is asked for: mend the page."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class Unauthenticated(Problem):
    """No token or a bad one: log in."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"


class OtherSite(Problem):
    """The request was made by a page of somebody else's."""

    status = HTTPStatus.FORBIDDEN
    code = "other_site"


class NotFound(Problem):
    """There is no such thing, or it is not the caller's: the answer is the same for both."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class SessionSubmitted(Problem):
    """The session is handed in: show its result."""

    status = HTTPStatus.CONFLICT
    code = "session_submitted"


class SessionExpired(Problem):
    """The time is up: show the session's result."""

    status = HTTPStatus.CONFLICT
    code = "session_expired"


class TooManySessions(Problem):
    """Finish a session before the next one."""

    status = HTTPStatus.CONFLICT
    code = "too_many_sessions"


def _document(status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    fields = {"type": "about:blank", "title": status.phrase, "status": status.value, "detail": detail, "code": code}
    return JSONResponse(fields, status, headers, media_type="application/problem+json")


async def _answer(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, AnyHTTPException)  # noqa: S101 - registered for these only
    status = HTTPStatus(error.status_code)
    code = error.code if isinstance(error, Problem) else status.name.lower()  # the framework's own have no code
    return _document(status, code, error.detail, error.headers)


async def _say_what_is_wrong(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)  # noqa: S101
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return _document(BadRequest.status, BadRequest.code, f"{where}: {first['msg']}")


async def _ask_again(_: Request, error: Exception) -> JSONResponse:
    logger.warning("PostgreSQL is away: %s", type(error).__name__, extra={"action": "database_away"})
    return _document(
        HTTPStatus.SERVICE_UNAVAILABLE, "unavailable", "send the same request again", {"retry-after": RETRY_AFTER}
    )


def answer_problems(app: FastAPI) -> None:
    """Give every refusal the same form."""
    app.add_exception_handler(AnyHTTPException, _answer)
    app.add_exception_handler(RequestValidationError, _say_what_is_wrong)
    app.add_exception_handler(OperationalError, _ask_again)
