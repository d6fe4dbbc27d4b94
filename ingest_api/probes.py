"""What is asked about the gateway itself: is it alive, can it take events, how much did it take."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST

from attemptlog.ingest_api.services import Services

router = APIRouter()


async def _services(request: Request) -> Services:
    of: Services = request.state.services
    return of


ServicesDep = Annotated[Services, Depends(_services)]


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
    """Return the metrics in Prometheus' text format, of all workers."""
    return Response(await of.scrape.text(), media_type=CONTENT_TYPE_LATEST)
