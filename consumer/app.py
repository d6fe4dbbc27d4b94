"""The composition root of the consumer: settings in, application out."""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from datetime import timedelta

import uvicorn
from aiokafka import ConsumerRecord
from faststream.asgi import AsgiFastStream, AsgiResponse, get
from faststream.asgi.response import JSONResponse
from faststream.asgi.types import ASGIApp, Scope
from faststream.kafka.subscriber.usecase import BatchSubscriber
from prometheus_client import make_asgi_app

from attemptlog.consumer.batches import Batches, pauses
from attemptlog.consumer.guard import Guard
from attemptlog.consumer.health import Health
from attemptlog.consumer.kafka import GRACE, PatientBroker, ResumeAtLedger, connected, subscribe
from attemptlog.consumer.losses import Losses
from attemptlog.consumer.membership import raise_if_dead, raise_if_fenced
from attemptlog.consumer.metrics import Metrics
from attemptlog.consumer.retries import Retries
from attemptlog.consumer.settings import ConsumerSettings
from attemptlog.event_store.errors import CannotRun, KafkaUnavailable, StoreUnavailable
from attemptlog.event_store.replays import Replays
from attemptlog.event_store.store import Store
from attemptlog.runtime.ending import Ending
from attemptlog.runtime.logs import log_json_lines

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
    stores = [_store(settings) for _ in range(settings.database_connections)]
    replays = Replays(settings.database_url.get_secret_value(), statement_timeout=RETRY_TIMEOUT)
    retries = Retries(
        replays,
        settings.topic,
        metrics,
        within=settings.unknown_session_retry_for,
        interval=settings.unknown_session_retry_interval,
    )
    guard = Guard(settings.topic, stores)
    batches = Batches(stores, settings.topic, metrics, ending.begun, guard.admit)
    health = Health(stores[0], guard, Losses(settings.topic, batches), metrics)
    broker = PatientBroker(settings, ready=lambda: _neighbours_answer(settings, stores[0], guard), failed=ending.fail)
    resume = ResumeAtLedger(stores[0].ledger, guard.check, ending.fail, lambda: subscriber.consumer)
    subscriber = subscribe(broker, settings, resume)

    @subscriber
    async def store_batch(records: list[ConsumerRecord]) -> None:
        if subscriber.consumer is None:  # it has left the group
            return
        try:
            await batches.take(records, subscriber.consumer)
        except Exception as error:  # FastStream would log it and go on with the next batch
            await ending.fail(error)
        finally:
            records.clear()  # FastStream keeps the list with its message

    @asynccontextmanager
    async def lifespan() -> AsyncIterator[None]:
        tasks = [
            asyncio.create_task(_or_fail(_keep_looking(health, batches, subscriber, ending), ending)),
            asyncio.create_task(_or_fail(retries.run(ending.begun), ending)),
        ]
        yield
        for task in tasks:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
        for store in stores:
            await store.close()
        await replays.close()

    async def begin_ending() -> None:
        ending.begun.set()
        await _finish(batches, ending)

    app = AsgiFastStream(
        broker,
        asgi_routes=_routes(health, metrics),
        lifespan=lifespan,
        on_shutdown=[begin_ending],
        logger=logging.getLogger("attemptlog.consumer.faststream"),
    )
    return app, ending


def _store(settings: ConsumerSettings) -> Store:
    return Store(
        settings.database_url.get_secret_value(), settings.topic, statement_timeout=settings.database_statement_timeout
    )


async def _neighbours_answer(settings: ConsumerSettings, store: Store, guard: Guard) -> None:
    """Return when PostgreSQL and Kafka answer. Raises CannotRun when they do not belong together."""
    for pause in pauses():
        try:
            await store.ledger()  # for /readyz: Kafka may be away meanwhile
            async with connected(settings) as consumer:
                await guard.recognise(consumer)
            return
        except (StoreUnavailable, KafkaUnavailable) as error:
            logger.warning(
                "waiting to start: %s", error, extra={"action": "start_waits", "error": type(error).__name__}
            )
        await asyncio.sleep(pause)


async def _finish(batches: Batches, ending: Ending) -> None:
    finishing = asyncio.create_task(batches.finish())
    await asyncio.wait({finishing}, timeout=GRACE)
    if not finishing.done():
        batches.cancel()  # which ends the waiting for them, too
    elif isinstance(error := finishing.exception(), Exception):
        await ending.fail(error)


async def _or_fail(work: Awaitable[None], ending: Ending) -> None:
    """Have whatever work in the background dies of end the process."""
    try:
        await work
    except Exception as error:
        await ending.fail(error)


async def _keep_looking(health: Health, batches: Batches, subscriber: BatchSubscriber, ending: Ending) -> None:
    while not ending.begun.is_set():
        try:
            batches.raise_failure()
            if subscriber.running and subscriber.consumer is not None:
                raise_if_dead(subscriber.consumer)
                await raise_if_fenced(subscriber.consumer)
                await health.look(subscriber.consumer)
        except Exception as error:
            if not ending.begun.is_set():  # a consumer that is being closed may answer anything
                await ending.fail(error)
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
