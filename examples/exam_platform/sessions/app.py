"""The composition root of the session service: settings in, application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry
from psycopg_pool import AsyncConnectionPool

from attemptlog.publisher import EventLogger, KafkaPublisher, Publisher
from attemptlog.publisher.metrics import Metrics
from examples.exam_platform.sessions.attempts import Attempts
from examples.exam_platform.sessions.candidates import Candidates
from examples.exam_platform.sessions.console import router as console
from examples.exam_platform.sessions.models import Config
from examples.exam_platform.sessions.pages import PLAYER, Pages, ProtectiveHeaders
from examples.exam_platform.sessions.problems import answer_problems
from examples.exam_platform.sessions.routes import api, router
from examples.exam_platform.sessions.services import Services, State
from examples.exam_platform.sessions.settings import PlatformSettings
from examples.exam_platform.sessions.store import connections
from examples.exam_platform.sessions.tokens import Tokens

MAX_BODY_BYTES = 8 * 1024  # a name of 80 characters, or an answer


def create_app(settings: PlatformSettings, *, publisher: Publisher | None = None, player: Path = PLAYER) -> FastAPI:
    """Return the service, nothing of it opened yet; a `publisher` given takes the place of Kafka."""
    registry = CollectorRegistry()
    pool = connections(settings.database_url.get_secret_value())
    logger = EventLogger(
        publisher or KafkaPublisher(settings.kafka_bootstrap_servers, topic=settings.topic),
        max_queued=settings.max_queued_events,
        metrics=Metrics(registry),
    )

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        async with pool, logger:
            yield {"services": _services(settings, registry, pool, logger)}

    # the pages with the API's documentation load scripts from elsewhere, which the Content-Security-Policy forbids
    app = FastAPI(title="Exam platform", lifespan=lifespan, docs_url=None, redoc_url=None, max_body_size=MAX_BODY_BYTES)
    app.include_router(api)
    app.include_router(router)
    app.include_router(console)
    app.mount("/", Pages(player, settings.public_origin))
    answer_problems(app)
    app.add_middleware(ProtectiveHeaders, telemetry_origin=settings.telemetry_origin)
    return app


def _services(
    settings: PlatformSettings, registry: CollectorRegistry, pool: AsyncConnectionPool, logger: EventLogger
) -> Services:
    return Services(
        attempts=Attempts(pool, logger),
        candidates=Candidates(pool),
        config=Config(telemetry_url=settings.telemetry_url, has_console=settings.console_url is not None),
        console_url=settings.console_url,
        pool=pool,
        registry=registry,
        tokens=Tokens(settings),
    )
