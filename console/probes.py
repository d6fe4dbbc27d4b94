"""What is asked about the console itself: is it alive, can it read, how much was asked of it."""

from http import HTTPStatus

from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from attemptlog.console.services import ServicesDep

router = APIRouter()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Say that the process serves; 200 whatever else is away."""
    return {"status": "ok"}


@router.get("/readyz", responses={HTTPStatus.SERVICE_UNAVAILABLE: {"description": "PostgreSQL is away."}})
async def readyz(response: Response, of: ServicesDep) -> dict[str, bool]:
    """Say whether the database can be read."""
    is_ready = await of.reader.can_read()
    if not is_ready:
        response.status_code = HTTPStatus.SERVICE_UNAVAILABLE
    return {"database": is_ready}


@router.get("/metrics", response_class=PlainTextResponse)
async def metrics(of: ServicesDep) -> Response:
    """Return the metrics in Prometheus' text format."""
    return Response(generate_latest(of.metrics.registry), media_type=CONTENT_TYPE_LATEST)
