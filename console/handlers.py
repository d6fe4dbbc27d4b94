"""What each error is answered with: the one place where it becomes a problem."""

import logging
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from attemptlog.console.front import TOO_LARGE
from attemptlog.console.problems import (
    BodyTooLarge,
    Broken,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Problem,
    Unauthenticated,
    Unavailable,
    answer,
)
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.runtime.token_errors import KeysUnavailable, TokenRefused

logger = logging.getLogger(__name__)

RETRY_AFTER = 2.0  # seconds; whatever is away is away for longer than that, or was only busy
MAX_FAULTS_TOLD = 5  # of a request that cannot be read

Handler = Callable[[Request, Any], Awaitable[Response]]


async def _told(_: Request, problem: Problem) -> Response:
    return answer(problem)


async def _refused(_: Request, error: TokenRefused) -> Response:
    return answer(Unauthenticated(str(error)))


async def _without_keys(_: Request, error: KeysUnavailable) -> Response:
    return answer(Unavailable(str(error), retry_after=error.retry_after))


async def _without_store(_: Request, error: StoreUnavailable | CannotRun) -> Response:
    logger.warning("nothing can be read: %s", error, extra={"action": "store_unavailable"})
    return answer(Unavailable("the database cannot be read now; try again", retry_after=RETRY_AFTER))


async def _invalid(_: Request, error: RequestValidationError) -> Response:
    faults = error.errors()
    if any(fault["loc"][0] == "path" for fault in faults):  # there is nothing under such an id
        return answer(NotFound())
    told = [f"{'.'.join(map(str, fault['loc'][1:])) or 'the body'}: {fault['msg']}" for fault in faults]
    return answer(Invalid("; ".join(told[:MAX_FAULTS_TOLD])))


async def _refused_by_framework(_: Request, error: HTTPException) -> Response:
    match error.status_code:
        case HTTPStatus.NOT_FOUND:
            return answer(NotFound())
        case HTTPStatus.METHOD_NOT_ALLOWED:
            allow = (error.headers or {}).get("Allow", "GET, HEAD")
            return answer(MethodNotAllowed(f"this address takes {allow}"), {"allow": allow})
        case HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
            return answer(BodyTooLarge(TOO_LARGE))
        case _:
            return answer(Invalid("this request cannot be read"))


async def _broken(_: Request, __: Exception) -> Response:
    return answer(Broken("a fault of the console; its log says more"))


HANDLERS: dict[type[Exception], Handler] = {
    Problem: _told,
    TokenRefused: _refused,
    KeysUnavailable: _without_keys,
    StoreUnavailable: _without_store,
    CannotRun: _without_store,
    RequestValidationError: _invalid,
    HTTPException: _refused_by_framework,
    Exception: _broken,
}


def handle_errors(app: FastAPI) -> None:
    """Have the application answer every error as a problem."""
    for kind, handler in HANDLERS.items():
        app.add_exception_handler(kind, handler)
