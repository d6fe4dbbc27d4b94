"""Refusals as application/problem+json (RFC 9457): each is raised where it is found and answered here."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil

import orjson
from fastapi import Response

from attemptlog.runtime.token_errors import KeysUnavailable, TokenRefused
from attemptlog.schemas import MAX_REASONS_IN_REPLY, IngestReply, Rejection

CALLER_LEFT = 499  # what nginx counts it as: the caller was gone before its request had arrived


class Problem(Exception):
    """A request that is not served; `detail` says what the caller should do, `reply` counts where a batch was read."""

    status: HTTPStatus
    code: str

    def __init__(self, detail: str, *, reply: IngestReply | None = None, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.reply = reply
        self.retry_after = retry_after


class BadBody(Problem):
    """Not JSON, or not the shape of a batch: mend the client."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_body"


class BadRequest(Problem):
    """Not HTTP/1.1 as this gateway reads it; the connection is closed: mend the client."""

    status = HTTPStatus.BAD_REQUEST
    code = "bad_request"


class EveryEventInvalid(Problem):
    """The batch was read and no event in it is valid: see the reasons."""

    status = HTTPStatus.BAD_REQUEST
    code = "every_event_invalid"


class Unauthenticated(Problem):
    """No token or a bad one: log in again."""

    status = HTTPStatus.UNAUTHORIZED
    code = "unauthenticated"


class NothingAllowed(Problem):
    """No event accepted and at least one refused for its session or question."""

    status = HTTPStatus.FORBIDDEN
    code = "nothing_allowed"


class NotFound(Problem):
    """Nothing is served at this address: mend it."""

    status = HTTPStatus.NOT_FOUND
    code = "not_found"


class MethodNotAllowed(Problem):
    """This address is served by other methods: see Allow."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    code = "method_not_allowed"


class SlowBody(Problem):
    """The body did not arrive in time: send it again."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "slow_body"


class SlowHead(Problem):
    """The head of the request did not arrive in time, and the connection is closed: send it again."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "slow_head"


class BodyTooLarge(Problem):
    """Send smaller batches."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"


class TooManyEvents(Problem):
    """Over the caller's rate: send the same batch again after Retry-After."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_events"


class TooManyRequests(Problem):
    """Over the requests that one user may have in flight: send the same batch again after Retry-After."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_requests"


class HeadTooLarge(Problem):
    """Too much in the request line and the headers, and the connection is closed: send fewer or shorter headers."""

    status = HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
    code = "head_too_large"


class Broken(Problem):
    """A fault of the gateway, which its log describes: send the same batch again later."""

    status = HTTPStatus.INTERNAL_SERVER_ERROR
    code = "internal_error"


class Unavailable(Problem):
    """Something the gateway needs is away: send the same batch again after Retry-After."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"


PROBLEMS = (
    BadRequest,
    BadBody,
    EveryEventInvalid,
    Unauthenticated,
    NothingAllowed,
    NotFound,
    MethodNotAllowed,
    SlowHead,
    SlowBody,
    BodyTooLarge,
    TooManyEvents,
    TooManyRequests,
    HeadTooLarge,
    Broken,
    Unavailable,
)

BEFORE_THE_DOOR = (BadRequest, SlowHead, SlowBody, HeadTooLarge, Unavailable)
"""What the protocol answers by itself."""

REFUSED_WHOLE = (TooManyEvents, Broken, Unavailable)
"""What a batch that was read may be answered without a word about its events."""

AT_THE_DOOR = (
    BadBody,
    EveryEventInvalid,
    Unauthenticated,
    NothingAllowed,
    SlowBody,
    BodyTooLarge,
    TooManyRequests,
    *REFUSED_WHOLE,
)
"""What a batch may be answered."""


def as_problem(error: Problem | TokenRefused | KeysUnavailable) -> Problem:
    """Return what a caller is told."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, TokenRefused):
        return Unauthenticated(str(error))
    return Unavailable(str(error), retry_after=error.retry_after)


def reply_of(accepted: int, rejections: Sequence[Rejection]) -> IngestReply:
    """Count a batch, with the first reasons."""
    return IngestReply(
        accepted=accepted,
        rejected=len(rejections),
        rejected_reasons_sample=list(rejections[:MAX_REASONS_IN_REPLY]),
    )


def document(problem: Problem) -> dict[str, object]:
    """Return the body of the answer."""
    fields: dict[str, object] = {
        "type": "about:blank",
        "title": problem.status.phrase,
        "status": problem.status.value,
        "detail": problem.detail,
        "code": problem.code,
    }
    return fields | (problem.reply.model_dump() if problem.reply else {})


def answer(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return the answer that tells a problem, with more headers where they are given."""
    body, told = orjson.dumps(document(problem)), _headers(problem) | dict(headers or {})
    return Response(body, problem.status, told, media_type="application/problem+json")


def _headers(problem: Problem) -> dict[str, str]:
    if isinstance(problem, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    return {} if problem.retry_after is None else {"retry-after": str(max(1, ceil(problem.retry_after)))}
