"""The composition root of the console: settings in, application out."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import APIRouter, FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.staticfiles import StaticFiles
from starlette.types import Lifespan, Receive, Scope, Send

from attemptlog.console import accesses, attempts, exams, operations, probes, session
from attemptlog.console.audits import Audits
from attemptlog.console.freshness import figures_kept_fresh
from attemptlog.console.front import Front
from attemptlog.console.handlers import handle_errors
from attemptlog.console.metrics import Metrics
from attemptlog.console.reader import Reader
from attemptlog.console.services import Services, State
from attemptlog.console.settings import ConsoleSettings
from attemptlog.console.watch import Watch
from attemptlog.runtime.ending import Ending
from attemptlog.runtime.keys import KeySource, key_source
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.settings import reveal
from attemptlog.runtime.tokens import Authenticator

PAGES = Path(__file__).parent / "pages" / "dist"  # what `make console` builds
NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}  # metrics.py has what there is

API: tuple[APIRouter, ...] = (session.router, exams.router, attempts.router, accesses.router, operations.router)
"""Made by guard.api_router, so that each of their routes says whom it is for."""


class Console(FastAPI):
    """Has every request pass the front."""

    front: Front

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request; see the ASGI specification."""
        await self.front(scope, receive, send)


def create_app(
    settings: ConsoleSettings | None = None, *, ending: Ending | None = None, pages: Path = PAGES
) -> Console:
    """Return the console; without `settings`, from the environment.

    Raises pydantic's ValidationError for settings that are missing or wrong.
    """
    settings = settings or ConsoleSettings()
    ending = ending or Ending("console")
    keys = key_source(settings)
    services = _services(settings, keys)
    app = Console(
        title="attemptlog console",
        lifespan=_lifespan(services, keys, ending),
        telemetry=NO_TELEMETRY,
        redirect_slashes=False,  # a redirect would lead to plain HTTP where TLS ends at a proxy
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    app.front = Front(super(Console, app).__call__, services.metrics)
    app.include_router(probes.router)
    for router in API:
        app.include_router(router)
    handle_errors(app)
    if pages.is_dir():
        app.mount("/", StaticFiles(directory=pages, html=True))
    return app


def _services(settings: ConsoleSettings, keys: KeySource) -> Services:
    claims = frozenset({settings.console_role_claim, settings.console_exams_claim})
    reader = Reader(settings.database_url.get_secret_value(), settings.console_database_connections)
    return Services(
        audits=Audits(settings.kafka, reveal(settings.console_replay_database_url), settings.topic),
        authenticator=Authenticator(keys, settings.jwt_audience, settings.jwt_issuer, claims),
        metrics=Metrics(),
        pseudonyms=pseudonyms_of(settings.pseudonym_key),
        reader=reader,
        settings=settings,
        watch=Watch(reader, settings.kafka, settings.topic, settings.consumer_group, settings.console_gateways),
    )


def _lifespan(services: Services, keys: KeySource, ending: Ending) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[State]:
        url = services.settings.database_url.get_secret_value()
        async with (
            keys,
            services.reader,
            services.watch,
            services.audits,
            figures_kept_fresh(url, services.metrics, ending),
        ):
            yield {"services": services}
            ending.begun.set()
        ending.leave_after_failure()

    return lifespan
