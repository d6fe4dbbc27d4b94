"""The composition root of the consumer: settings in, application out."""

import asyncio
import gc
import logging
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import AsyncExitStack, asynccontextmanager, nullcontext
from datetime import timedelta
from functools import partial

import uvicorn
from aiokafka import AIOKafkaConsumer
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.asgi.response import JSONResponse
from faststream.asgi.types import ASGIApp, Scope
from prometheus_client import make_asgi_app

from attemptlog.consumer.assignment import ResumeAtLedger
from attemptlog.consumer.background import running
from attemptlog.consumer.errors import TopicUnavailable
from attemptlog.consumer.guard import Guard
from attemptlog.consumer.health import Health
from attemptlog.consumer.kafka import PatientBroker, connected
from attemptlog.consumer.loop import Loop
from attemptlog.consumer.losses import Losses
from attemptlog.consumer.membership import raise_if_ended, raise_if_fenced
from attemptlog.consumer.metrics import Metrics
from attemptlog.consumer.pauses import pauses
from attemptlog.consumer.reports import Reports
from attemptlog.consumer.retries import Retries
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.consumer.traced import tell
from attemptlog.consumer.writer import Writer
from attemptlog.event_store.books import Books
from attemptlog.event_store.errors import CannotRun, StoreUnavailable
from attemptlog.event_store.replays import Replays
from attemptlog.event_store.store import Store
from attemptlog.runtime.ending import Ending
from attemptlog.runtime.logs import log_json_lines
from attemptlog.runtime.ports import check_free
from attemptlog.runtime.pseudonyms import pseudonyms_of
from attemptlog.runtime.tracing import spans_of

logger = logging.getLogger(__name__)

CHECK_INTERVAL = 1.0  # seconds
RETRY_TIMEOUT = timedelta(seconds=5)  # for a statement that retries dead letters; a stop may have to wait for it
GC_THRESHOLD = 100_000  # a batch makes about five objects a record and no cycles; the default would look at each often
HTTP_GRACE = 1  # seconds for a probe or a scrape that is being answered when the process is to end


def create_app(settings: ConsumerSettings | None = None) -> AsgiFastStream:
    """Return the consumer as an ASGI application; without `settings`, from the environment.

    It serves health and metrics, and consumes while its lifespan lasts. When it cannot go on it sends its own process
    SIGTERM. Raises pydantic's ValidationError for settings that are missing or wrong.
    """
    app, _ = _build(settings or ConsumerSettings())
    return app


def run(settings: ConsumerSettings | None = None) -> int:
    """Consume until SIGTERM or SIGINT and return the exit status: 0, or 1 when it could not go on."""
    settings = settings or ConsumerSettings()
    log_json_lines(settings.log_level)
    app, ending = _build(settings)
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)
    for asked_to_end in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked_to_end, ending.asked)
    check_free(
        settings.consumer_host,
        settings.consumer_port,
        "set ATTEMPTLOG_CONSUMER_PORT; each consumer of a host has its own.",
    )
    uvicorn.run(
        app,
        host=settings.consumer_host,
        port=settings.consumer_port,
        loop="asyncio",  # uvloop raises a RuntimeError that ends aiokafka's group membership (aio-libs/aiokafka#1038)
        lifespan="on",
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=HTTP_GRACE,
    )
    return 1 if ending.failure else 0


def _build(settings: ConsumerSettings) -> tuple[AsgiFastStream, Ending]:
    ending, metrics = Ending("consumer", foreseen=CannotRun), Metrics()
    url, topic = settings.database_url.get_secret_value(), settings.topic
    spans = spans_of(settings, "attemptlog-consumer", metrics.spans)
    reports = Reports(metrics, None if spans is None else partial(tell, spans, topic))
    books = Books(url, topic, settings.database_statement_timeout)
    pseudonyms = pseudonyms_of(settings.pseudonym_key)
    aside, *stores = [
        Store(url, topic, settings.database_statement_timeout, pseudonyms)
        for _ in range(1 + settings.database_connections)
    ]
    replays = Replays(url, RETRY_TIMEOUT, pseudonyms)
    retries = Retries(
        replays,
        topic,
        metrics,
        within=settings.unknown_session_retry_for,
        interval=settings.unknown_session_retry_interval,
    )
    guard = Guard(topic, books, [aside, *stores])
    writers = [Writer(store, topic, reports, ending.begun, guard.reread_from) for store in stores]
    loop = Loop(writers, topic, settings.max_batch_records, ending.begun, metrics)
    health = Health(books, stores, guard, Losses(topic, aside, loop.holds, reports), metrics)

    async def consume(consumer: AIOKafkaConsumer) -> None:
        watching = _keep_looking(health, consumer, settings.consumer_instance_id)
        async with loop, running(_or_fail(watching, ending)):
            await _or_fail(loop.run(consumer), ending)

    broker = PatientBroker(
        settings,
        listener=ResumeAtLedger(books.ledger, guard.check, ending.fail, lambda: broker.consumer),
        ready=lambda: _neighbours_answer(settings, books, guard, aside),
        consume=lambda consumer: _or_fail(consume(consumer), ending),
        failed=ending.fail,
    )

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        async with AsyncExitStack() as opened:
            for each in (spans or nullcontext(), books, aside, *stores, replays):
                await opened.enter_async_context(each)
            await opened.enter_async_context(running(_or_fail(retries.run(), ending)))
            yield

    app = AsgiFastStream(
        broker,
        asgi_routes=_routes(health, metrics),
        lifespan=lifespan,
        on_shutdown=[ending.begun.set],
        logger=logging.getLogger("attemptlog.consumer.faststream"),
    )
    return app, ending


async def _neighbours_answer(settings: ConsumerSettings, books: Books, guard: Guard, store: Store) -> None:
    """Return when PostgreSQL and Kafka answer. Raises CannotRun when they do not belong together."""
    for pause in pauses():
        try:
            await books.ledger()  # for /readyz: Kafka may be away meanwhile
            await store.require_key()
            async with connected(settings) as consumer:
                await guard.recognise(consumer)
            return
        except (StoreUnavailable, TopicUnavailable) as error:
            logger.warning(
                "waiting to start: %s", error, extra={"action": "start_waits", "error": type(error).__name__}
            )
        await asyncio.sleep(pause)


async def _or_fail(work: Awaitable[None], ending: Ending) -> None:
    """Have whatever work dies of end the process."""
    try:
        await work
    except Exception as error:
        await ending.fail(error)


async def _keep_looking(health: Health, consumer: AIOKafkaConsumer, instance_id: str | None) -> None:
    while True:
        raise_if_ended(consumer)
        await raise_if_fenced(consumer, instance_id)
        await health.look(consumer)
        await asyncio.sleep(CHECK_INTERVAL)


def _routes(health: Health, metrics: Metrics) -> list[tuple[str, ASGIApp]]:
    @get
    async def healthz(_: Scope) -> AsgiResponse:
        """200 while the process works; it waits for PostgreSQL and Kafka by itself, so a restart would not help."""
        return JSONResponse({"status": "ok"})

    @get
    async def readyz(_: Scope) -> AsgiResponse:
        """200 while both PostgreSQL and Kafka answer, 503 otherwise."""
        state = health.state
        return JSONResponse(state, 200 if all(state.values()) else 503)

    return [("/healthz", healthz), ("/readyz", readyz), ("/metrics", make_asgi_app(metrics.registry))]
