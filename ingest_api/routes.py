"""The gateway's endpoints. The way of an event starts at `ingest`."""

import time
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Receive, Scope, Send

from attemptlog.ingest_api.answers import CALLER, answering_problems
from attemptlog.ingest_api.body import parse, read_body
from attemptlog.ingest_api.openapi import INGEST_REQUEST, INGEST_RESPONSES
from attemptlog.ingest_api.services import Services, services
from attemptlog.runtime.headers import headers_of, token_of

INGEST_PATH = "/v1/telemetry/events"

router = APIRouter()


async def _services(request: Request) -> Services:
    return services(request.scope)


ServicesDep = Annotated[Services, Depends(_services)]


@router.post(INGEST_PATH, status_code=HTTPStatus.ACCEPTED, responses=INGEST_RESPONSES, openapi_extra=INGEST_REQUEST)
@answering_problems
async def ingest(request: Request) -> Response:
    """Take a batch of events of the caller's own sessions; one bad event never fails its neighbours."""
    of, headers = services(request.scope), headers_of(request.scope["headers"])
    with of.gate.admit(headers) as place:
        caller = await of.authenticator.caller(token_of(headers), time.time())
        request.scope[CALLER] = caller.user_id
        place.belongs_to(caller.user_id)
        body = await read_body(request, headers, of.body_limits, place.take)
        place.body_has_arrived()
        reply = await of.intake.take(parse(body), caller)
    return Response(reply.model_dump_json(), HTTPStatus.ACCEPTED, media_type="application/json")


async def serve_batch(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve a batch as an ASGI application, for FastAPI's round costs more than a small batch; count it and time it."""
    started = time.perf_counter()
    request = Request(scope, receive)
    response = await ingest(request)
    await response(scope, receive, send)
    services(scope).metrics.count_answer(response.status_code, time.perf_counter() - started)


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process serves; 200 whatever else is away."""
    return {"status": "ok"}


@router.get("/readyz", responses={HTTPStatus.SERVICE_UNAVAILABLE: {"description": "Kafka is away."}})
async def readyz(response: Response, of: ServicesDep) -> dict[str, bool]:
    """Say whether events can be accepted; without PostgreSQL they can."""
    if not of.publisher.is_ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return {"kafka": of.publisher.is_ready, "sessions": of.sessions.is_ready}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(of: ServicesDep) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(generate_latest(of.metrics.registry), media_type=CONTENT_TYPE_LATEST)
