"""Refusals as application/problem+json (RFC 9457): each is raised where it is found and answered here."""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil

import orjson
from fastapi import Response

HIDDEN = "there is nothing here, or it is not for you to see"


class Problem(Exception):
    """A request that is not served; `detail` says what whoever asked should do."""

    status: HTTPStatus

    def __init__(self, detail: str, *, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.retry_after = retry_after


class Unauthenticated(Problem):
    """No token or a bad one: log in again."""

    status = HTTPStatus.UNAUTHORIZED


class CrossSite(Problem):
    """Another site's page asks: nothing of this is for it."""

    status = HTTPStatus.FORBIDDEN


class NotFound(Problem):
    """Not there, or somebody else's: nobody is told which."""

    status = HTTPStatus.NOT_FOUND

    def __init__(self) -> None:
        super().__init__(HIDDEN)


class MethodNotAllowed(Problem):
    """This address is served by other methods: see Allow."""

    status = HTTPStatus.METHOD_NOT_ALLOWED


class BodyTooLarge(Problem):
    """Nothing that is sent here is as large."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE


class NotJson(Problem):
    """A body is taken as application/json only, which no foreign page can send."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE


class NotSetUp(Problem):
    """The console lacks a setting for this: do it with the command that is named."""

    status = HTTPStatus.CONFLICT


class Invalid(Problem):
    """Something in the address or the body cannot be read: mend it."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Broken(Problem):
    """A fault of the console, which its log describes."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR


class Unavailable(Problem):
    """Something the console needs is away: ask again after Retry-After."""

    status = HTTPStatus.SERVICE_UNAVAILABLE


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that tells a problem, with more headers where they are given."""
    document = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
    }
    told = _headers(problem) | dict(headers or {})
    return Response(orjson.dumps(document), problem.status, told, media_type="application/problem+json")


def _headers(problem: Problem) -> dict[str, str]:
    if isinstance(problem, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    return {} if problem.retry_after is None else {"retry-after": str(max(1, ceil(problem.retry_after)))}
