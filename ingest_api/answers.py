"""What is answered where no batch is taken."""

from collections.abc import Set
from http import HTTPStatus

from fastapi import Request, Response
from starlette.exceptions import HTTPException

from attemptlog.ingest_api.problems import Broken, MethodNotAllowed, NotFound, answer


def not_served(method: str, served: Set[str]) -> Response:
    """Answer a method that an address is not served by, and OPTIONS, which none is and everybody may ask."""
    allow = ", ".join(sorted(served | {"OPTIONS"} | ({"HEAD"} if "GET" in served else set())))
    if method == "OPTIONS":
        return Response(status_code=HTTPStatus.NO_CONTENT, headers={"allow": allow})
    return answer(MethodNotAllowed(f"this address takes {allow}"), {"allow": allow})


async def method_not_allowed(request: Request, error: Exception) -> Response:
    """Answer as `not_served`, with the methods that Starlette says."""
    headers = error.headers if isinstance(error, HTTPException) else None
    return not_served(request.method, set(headers["Allow"].split(", ")) if headers else set())


async def not_found(_: Request, __: Exception) -> Response:
    """Answer a request for an address where nothing is served."""
    return answer(NotFound("nothing is served at this address; batches are taken at /v1/telemetry/events"))


async def failed(_: Request, __: Exception) -> Response:
    """Answer a request that failed; the server logs why."""
    return answer(Broken("a fault of the gateway; send the same request again later"))
