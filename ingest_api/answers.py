"""Where a request that is not served gets its answer: every refusal and every fault ends here."""

import logging
from collections.abc import Awaitable, Callable
from functools import wraps
from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import Scope

from attemptlog.ingest_api.problems import (
    CALLER_LEFT,
    Broken,
    MethodNotAllowed,
    NotFound,
    Problem,
    answer,
    problem_of,
)
from attemptlog.ingest_api.services import services
from attemptlog.runtime.token_errors import KeysUnavailable, TokenRefused

logger = logging.getLogger(__name__)

CALLER = "attemptlog.caller"  # in the ASGI scope: who calls, once that is known

Endpoint = Callable[[Request], Awaitable[Response]]


def answering_problems(endpoint: Endpoint) -> Endpoint:
    """Return the endpoint with whatever it raises made an answer, however a request comes to it."""

    @wraps(endpoint)
    async def answering(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (Problem, TokenRefused, KeysUnavailable) as error:
            problem = error if isinstance(error, Problem) else problem_of(error)
            _note(problem, request.scope)
            return answer(problem)
        except ClientDisconnect:
            return Response(status_code=CALLER_LEFT)  # nobody listens
        except Exception:
            logger.exception("a request failed", extra={"action": "request_failed"})
            return answer(Broken("a fault of the gateway; send the same batch again later"))

    return answering


def _note(problem: Problem, scope: Scope) -> None:
    """Have it told whose request is refused; of a batch that could be read, the intake has done so."""
    if problem.reply is None and problem.status < HTTPStatus.INTERNAL_SERVER_ERROR:
        services(scope).refusals.note(problem.code, scope.get(CALLER))


async def not_found(_: Request, __: Exception) -> Response:
    """Answer a request for an address where nothing is served."""
    return answer(NotFound("nothing is served at this address; batches are taken at /v1/telemetry/events"))


async def method_not_allowed(request: Request, error: Exception) -> Response:
    """Answer a method that an address is not served by, and OPTIONS, which none is and everybody may ask."""
    allow = _allow(error)
    if request.method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"allow": allow})
    return answer(MethodNotAllowed(f"this address takes {allow}"), {"allow": allow})


async def failed(_: Request, __: Exception) -> Response:
    """Answer a request that failed; the server logs why."""
    return answer(Broken("a fault of the gateway; send the same request again later"))


def _allow(error: Exception) -> str:
    served = set(error.headers["Allow"].split(", ")) if isinstance(error, HTTPException) and error.headers else set()
    return ", ".join(sorted(served | {"OPTIONS"} | ({"HEAD"} if "GET" in served else set())))
