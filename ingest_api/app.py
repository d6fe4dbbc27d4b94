"""The composition root of the gateway: settings in, application out."""

import gc
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from fastapi import FastAPI, Request
from fastapi.middleware.cors import CORSMiddleware
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest_api.auth import Authenticator, key_source
from ingest_api.body import BodyLimits
from ingest_api.intake import Intake
from ingest_api.metrics import Metrics
from ingest_api.openapi import SECURITY_SCHEMES
from ingest_api.rate import TokenBuckets
from ingest_api.routes import INGEST_PATH, ingest, router
from ingest_api.services import Services, State
from ingest_api.sessions import PostgresSessions, SessionDirectory
from ingest_api.settings import IngestSettings
from ingest_api.shedding import Bounds, Gate, Shedding
from publisher import KafkaPublisher, Publisher

NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # metrics.py has what there is
GC_THRESHOLD = 50_000  # a batch makes about 600 objects and no cycles; the default of 700 would look at each of them


def create_app(
    settings: IngestSettings | None = None,
    *,
    publisher: Publisher | None = None,
    sessions: SessionDirectory | None = None,
) -> FastAPI:
    """Return the gateway; without `settings`, from the environment. The fakes take the place of Kafka and PostgreSQL.

    Raises pydantic's ValidationError for settings that are missing or wrong.
    """
    settings = settings or IngestSettings()
    metrics = Metrics()
    gate = Gate(_bounds(settings), metrics.shed)
    publisher = publisher or _publisher(settings)
    sessions = sessions or _sessions(settings)
    metrics.watch(publisher, sessions, gate)
    services = _services(settings, metrics, gate, publisher, sessions)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with sessions, publisher:
            gc.freeze()
            gc.set_threshold(GC_THRESHOLD)
            yield {"services": services}

    app = FastAPI(title="attemptlog gateway", lifespan=lifespan, telemetry=NO_TELEMETRY)
    app.include_router(router)
    app.add_middleware(Straight)
    app.add_middleware(Shedding, gate=gate)
    app.add_middleware(Measured, metrics=metrics)
    if settings.cors_origins:
        _allow_origins(app, settings.cors_origins)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


def _bounds(settings: IngestSettings) -> Bounds:
    return Bounds(settings.max_requests_in_flight, settings.max_bytes_in_flight, settings.max_body_bytes)


def _publisher(settings: IngestSettings) -> Publisher:
    return KafkaPublisher(
        settings.kafka_bootstrap_servers,
        topic=settings.topic,
        delivery_deadline=settings.delivery_deadline,
        max_buffered_bytes=settings.max_buffered_bytes,
        security=settings,
    )


def _sessions(settings: IngestSettings) -> SessionDirectory:
    return PostgresSessions(
        settings.database_url.get_secret_value(),
        lookup_timeout=settings.session_lookup_timeout,
        cache_size=settings.session_cache_size,
        cache_ttl=settings.session_cache_ttl,
    )


def _services(
    settings: IngestSettings, metrics: Metrics, gate: Gate, publisher: Publisher, sessions: SessionDirectory
) -> Services:
    buckets = TokenBuckets(settings.rate_limit_events_per_second, settings.rate_limit_burst)
    return Services(
        authenticator=Authenticator(key_source(settings), settings.jwt_audience, settings.jwt_issuer),
        body_limits=BodyLimits(settings.max_body_bytes, settings.body_deadline),
        gate=gate,
        intake=Intake(publisher, sessions, buckets, metrics),
        metrics=metrics,
        publisher=publisher,
        sessions=sessions,
    )


def _allow_origins(app: FastAPI, origins: list[str]) -> None:
    app.add_middleware(
        CORSMiddleware,
        allow_origins=origins,
        allow_credentials=True,
        allow_methods=["POST"],
        allow_headers=["authorization", "content-type", "content-encoding"],
        expose_headers=["retry-after"],
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    if app.openapi_schema is None:
        document = get_openapi(title=app.title, version=app.version, routes=app.routes)
        document.setdefault("components", {})["securitySchemes"] = SECURITY_SCHEMES
        app.openapi_schema = document
    return app.openapi_schema


class Straight:
    """Hands batches to their endpoint past FastAPI's routing, which costs more than a small batch."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a batch; pass everything else on. See the ASGI specification."""
        if scope["type"] != "http" or scope["path"] != INGEST_PATH or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        response = await ingest(Request(scope, receive))
        await response(scope, receive, send)


class Measured:
    """Counts the answers to batches, and times them."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on; see the ASGI specification."""
        if scope["type"] != "http" or scope["path"] != INGEST_PATH:
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        await self._app(scope, receive, self._counting(send))
        self._metrics.request_seconds.observe(time.perf_counter() - started)

    def _counting(self, send: Send) -> Callable[[Message], Awaitable[None]]:
        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._metrics.requests.labels(message["status"]).inc()
            await send(message)

        return counted
