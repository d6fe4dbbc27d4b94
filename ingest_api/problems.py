"""Refusals as application/problem+json (RFC 9457): each is raised where it is found and answered here."""

from collections.abc import Awaitable, Callable, Sequence
from functools import wraps
from http import HTTPStatus
from math import ceil

import orjson
from fastapi import Request, Response
from starlette.requests import ClientDisconnect

from schemas import MAX_REASONS_IN_REPLY, IngestReply, Rejection


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


class SlowBody(Problem):
    """The body did not arrive in time: send it again."""

    status = HTTPStatus.REQUEST_TIMEOUT
    code = "slow_body"


class BodyTooLarge(Problem):
    """Send smaller batches."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    code = "body_too_large"


class TooManyEvents(Problem):
    """Over the caller's rate: send the same batch again after Retry-After."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    code = "too_many_events"


class Unavailable(Problem):
    """Something the gateway needs is away: send the same batch again after Retry-After."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    code = "unavailable"


PROBLEMS = (
    BadBody,
    EveryEventInvalid,
    Unauthenticated,
    NothingAllowed,
    SlowBody,
    BodyTooLarge,
    TooManyEvents,
    Unavailable,
)


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


def _headers(problem: Problem) -> dict[str, str]:
    if isinstance(problem, Unauthenticated):
        return {"www-authenticate": "Bearer"}
    return {} if problem.retry_after is None else {"retry-after": str(max(1, ceil(problem.retry_after)))}


def answering_problems(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    """Return the endpoint with every Problem that it raises made an answer, however a request comes to it."""

    @wraps(endpoint)
    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except Problem as problem:
            return _answer(problem)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody listens

    return answering


def _answer(problem: Problem) -> Response:
    body, headers = orjson.dumps(document(problem)), _headers(problem)
    return Response(body, problem.status, headers, media_type="application/problem+json")
