"""The gateway as an application in this process, with the fakes in place of Kafka and PostgreSQL."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import httpx
from starlette.types import Receive, Scope, Send

from attemptlog.ingest_api.app import create_app
from attemptlog.ingest_api.metrics import Metrics
from attemptlog.ingest_api.sessions import MemorySessions, Session
from attemptlog.ingest_api.settings import IngestSettings
from attemptlog.publisher import MemoryPublisher
from tests.support.http import JWT_SECRET
from tests.support.series import assert_nothing_was_born

NOWHERE = {"kafka_bootstrap_servers": "nowhere:9092", "database_url": "postgresql://-", "jwt_secret": JWT_SECRET}


@asynccontextmanager
async def gateway_in_process(
    sessions: Mapping[str, Session] | None = None, publisher: MemoryPublisher | None = None, **settings: object
) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client of a gateway; of what it raises, the client sees the answer."""
    app = create_app(
        IngestSettings.model_validate(NOWHERE | settings),
        publisher=publisher or MemoryPublisher(),
        sessions=MemorySessions(sessions),
    )
    async with app.router.lifespan_context(app) as state:

        async def with_state(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "state": dict(state or {})}, receive, send)

        transport = httpx.ASGITransport(with_state, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://gateway") as client:
            yield client
        assert state is not None
        assert_nothing_was_born(state["services"].metrics.registry, Metrics().registry)
