"""The composition root of the gateway: settings in, application out."""

import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.telemetry import TelemetryConfig
from starlette.types import ASGIApp, Lifespan, Receive, Scope, Send

from attemptlog.ingest_api.answers import failed, method_not_allowed, not_found
from attemptlog.ingest_api.body import BodyLimits
from attemptlog.ingest_api.connections import Connections, Limits, room_for
from attemptlog.ingest_api.door import INGEST_PATH, Door
from attemptlog.ingest_api.intake import Intake, Publish
from attemptlog.ingest_api.metrics import Metrics
from attemptlog.ingest_api.openapi import openapi_document
from attemptlog.ingest_api.postgres_sessions import PostgresSessions
from attemptlog.ingest_api.probes import router
from attemptlog.ingest_api.refusals import Refusals
from attemptlog.ingest_api.services import Services, State
from attemptlog.ingest_api.sessions import SessionDirectory
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.ingest_api.shedding import Bounds, Gate
from attemptlog.ingest_api.traced import TracedDoor, sending
from attemptlog.ingest_api.workers import Scrape
from attemptlog.publisher import KafkaPublisher, Publisher
from attemptlog.runtime.ending import Ending
from attemptlog.runtime.keys import KeySource, key_source
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.rate import TokenBuckets
from attemptlog.runtime.tokens import Authenticator
from attemptlog.runtime.tracing import spans_of

if TYPE_CHECKING:
    from attemptlog.runtime.spans import Spans

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
}  # FastAPI would tell of probes
GC_THRESHOLD = 50_000  # a batch makes about 600 objects and no cycles; the default of 700 would look at each of them


class Gateway(FastAPI):
    """Leaves INGEST_PATH to `door`, for FastAPI's round costs more than a small batch, and the rest to FastAPI.

    A slash at the end of an address makes no difference, and HEAD is served wherever GET is.
    """

    def __init__(self, door: ASGIApp, **settings: Any) -> None:
        self.door = door
        super().__init__(**settings)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; see the ASGI specification."""
        if scope["type"] == "http":
            if scope["path"].removesuffix("/") == INGEST_PATH:
                await self.door(scope, receive, send)
                return
            scope = _as_served(scope)
        await super().__call__(scope, receive, send)

    def openapi(self) -> dict[str, Any]:
        """Return the document at /openapi.json."""
        if self.openapi_schema is None:
            self.openapi_schema = openapi_document(self.title, self.version, self.routes)
        return self.openapi_schema


def _as_served(scope: Scope) -> Scope:
    """Return a request as the routes know it; the server leaves out the body of an answer to HEAD (ASGI, HTTP)."""
    method = "GET" if scope["method"] == "HEAD" else scope["method"]
    return {**scope, "method": method, "path": scope["path"].removesuffix("/") or "/"}


def create_app(
    settings: IngestSettings | None = None,
    *,
    publisher: Publisher | None = None,
    sessions: SessionDirectory | None = None,
) -> Gateway:
    """Return the gateway; without `settings`, from the environment. The fakes take the place of Kafka and PostgreSQL.

    Raises pydantic's ValidationError for settings that are missing or wrong.
    """
    settings = settings or IngestSettings()
    metrics = Metrics()
    ending = Ending("gateway")
    publisher = publisher or _publisher(settings, ending)
    sessions = sessions or _sessions(settings, ending, metrics.session_query_seconds.observe)
    keys = key_source(settings, metrics.count_key_fetch)
    spans = spans_of(settings, "attemptlog-gateway", metrics.spans)
    publish = publisher.publish if spans is None else sending(publisher.publish, settings.topic, spans)
    services = _services(settings, metrics, keys=keys, publisher=publisher, publish=publish, sessions=sessions)
    metrics.watch(publisher, sessions, keys, gate=services.gate, connections=services.connections)

    # a redirect would lead to plain HTTP where TLS ends at a proxy
    app = Gateway(
        Door(services) if spans is None else TracedDoor(Door(services), INGEST_PATH, spans),
        title="attemptlog gateway",
        lifespan=_lifespan(services, keys, ending, spans),
        telemetry=NO_TELEMETRY,
        redirect_slashes=False,
    )
    app.include_router(router)
    for kind, handler in ((404, not_found), (405, method_not_allowed), (Exception, failed)):
        app.add_exception_handler(kind, handler)
    if settings.cors_origins:
        _allow_origins(app, settings.cors_origins)
    return app


def _lifespan(services: Services, keys: KeySource, ending: Ending, spans: "Spans | None") -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with spans or nullcontext(), services.scrape, keys, services.sessions, services.publisher:
            gc.freeze()
            gc.set_threshold(GC_THRESHOLD)
            with services.refusals:
                yield {"services": services}
        ending.leave_after_failure()

    return lifespan


def _bounds(settings: IngestSettings) -> Bounds:
    return Bounds(
        requests=settings.max_requests_in_flight,
        total_bytes=settings.max_bytes_in_flight,
        body_bytes=settings.max_body_bytes,
        requests_per_user=settings.max_requests_per_user,
    )


def _limits(settings: IngestSettings) -> Limits:
    return Limits(
        head_bytes=settings.max_head_bytes,
        head_deadline=settings.head_deadline.total_seconds(),
        body_deadline=settings.body_deadline.total_seconds(),
        keep_alive=settings.keep_alive.total_seconds(),
        connections=room_for(settings.max_connections),
    )


def _publisher(settings: IngestSettings, ending: Ending) -> Publisher:
    return KafkaPublisher(
        settings.kafka_bootstrap_servers,
        topic=settings.topic,
        delivery_deadline=settings.delivery_deadline,
        max_buffered_bytes=settings.max_buffered_bytes,
        security=settings,
        tracing=settings,
        failed=ending.give_up,
    )


def _sessions(settings: IngestSettings, ending: Ending, timed: Callable[[float], None]) -> SessionDirectory:
    return PostgresSessions(
        settings.database_url.get_secret_value(),
        lookup_timeout=settings.session_lookup_timeout,
        cache_size=settings.session_cache_size,
        cache_ttl=settings.session_cache_ttl,
        watch=ending.watch,
        timed=timed,
        pseudonyms=pseudonyms_of(settings.pseudonym_key),
    )


def _services(
    settings: IngestSettings,
    metrics: Metrics,
    *,
    keys: KeySource,
    publisher: Publisher,
    publish: Publish,
    sessions: SessionDirectory,
) -> Services:
    refusals = Refusals(pseudonyms_of(settings.pseudonym_key))
    buckets = TokenBuckets(settings.rate_limit_events_per_second, settings.rate_limit_burst)
    return Services(
        authenticator=Authenticator(keys, settings.jwt_audience, settings.jwt_issuer),
        body_limits=BodyLimits(settings.max_body_bytes, settings.body_deadline),
        connections=Connections(_limits(settings), metrics.connections_ended, metrics.refused_early),
        crosses_origins=bool(settings.cors_origins),
        gate=Gate(_bounds(settings), metrics.shed),
        intake=Intake(publish, sessions, buckets, metrics, refusals),
        metrics=metrics,
        publisher=publisher,
        refusals=refusals,
        scrape=Scrape(metrics.registry),
        sessions=sessions,
    )


def _allow_origins(app: Gateway, origins: list[str]) -> None:
    rules: dict[str, Any] = {
        "allow_origins": origins,
        "allow_credentials": True,
        "allow_methods": ["POST"],
        "allow_headers": ["authorization", "content-type", "content-encoding", "traceparent"],
        "expose_headers": ["retry-after"],
    }
    app.add_middleware(CORSMiddleware, **rules)  # answers preflights
    app.door = CORSMiddleware(app.door, **rules)
