"""Where an exam is sat in a browser: every service as a process of its own, on a real Kafka and PostgreSQL."""

import os
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from itertools import groupby
from typing import Any

import httpx
from playwright.async_api import Browser, BrowserContext, ViewportSize

from attemptlog.event_store.audit import take_audit
from attemptlog.local_stack.ports import free_port
from attemptlog.runtime.admin import Cluster
from examples.exam_platform.sessions.prepare import prepare
from tests.support.browser import chromium
from tests.support.candidate import Candidate
from tests.support.consumer import ConsumerProcess, consumer, consumer_role, query
from tests.support.documents import ROOT
from tests.support.eventually import eventually
from tests.support.front import Front, front
from tests.support.http import JWT_SECRET, end, gateway

DESKTOP = ViewportSize(width=1280, height=900)
PLAYER = ROOT / "examples/exam_platform/player/dist/index.html"
CONSOLE = ROOT / "console/pages/dist/index.html"
# The ids of streams, one for each load of a page, are in the order of the loads.
BY_THE_PAGE = """
    SELECT stream_id, seq, event_type, payload_json - 'dwell_ms' - 'away_ms' FROM attempt_events
    WHERE session_id = %s AND source = 'web' ORDER BY stream_id, seq
"""


@dataclass
class Hall:
    """Everything a candidate needs, and a front before the gateway that a test may spoil."""

    browser: Browser
    front: Front
    consumer: ConsumerProcess
    url: str
    console_url: str  # where one runs
    database_url: str

    async def context(self, **options: Any) -> BrowserContext:
        """Return a browser of a person's own: no cookies, nothing stored."""
        return await self.browser.new_context(**({"viewport": DESKTOP} | options))

    async def candidate(self) -> Candidate:
        return await Candidate.begin(await self.context(), self.url)

    def events(self, candidate: Candidate, statement: str = BY_THE_PAGE) -> list[Any]:
        return query(self.database_url, statement, candidate.session)

    async def has_stored(self, *tabs: Candidate, loads: int = 1) -> None:
        """Wait until what the tabs of one session tracked is stored, and nothing else, each load numbered by itself."""
        tracked = [event for tab in tabs for event in tab.tracked]
        await eventually(lambda: len(self.events(tabs[0])) >= len(tracked))
        stored = self.events(tabs[0])
        streams = [[seq for _, seq, *_ in events] for _, events in groupby(stored, lambda event: event[0])]
        assert streams == [list(range(1, len(numbers) + 1)) for numbers in streams]
        assert len(streams) == loads
        if len(tabs) == 1:
            assert [(kind, payload) for *_, kind, payload in stored] == tracked
        assert Counter(_key(kind, payload) for *_, kind, payload in stored) == Counter(_key(*it) for it in tracked)


def _key(kind: str, payload: dict[str, Any]) -> tuple[str, str]:
    return kind, str(sorted(payload.items()))


@asynccontextmanager
async def open_hall(bootstrap: str, database: str, topic: str, *, has_console: bool = False) -> AsyncIterator[Hall]:
    """Run all of it, with a console if asked for; at the end, everything that was accepted is accounted for."""
    assert PLAYER.exists(), "build the page: `make player`"
    port, console_port = free_port(), free_port()
    url, console_url = (f"http://127.0.0.1:{each}" for each in (port, console_port))
    with (
        gateway(bootstrap, database, topic, cors_origins=url, session_cache_ttl="1") as gateway_url,
        consumer(bootstrap, database, topic) as worker,
    ):
        async with AsyncExitStack() as stack:
            before_it = await stack.enter_async_context(front(gateway_url))
            browser = await stack.enter_async_context(chromium())
            given: Mapping[str, str] = {"KAFKA_BOOTSTRAP_SERVERS": bootstrap, "TOPIC": topic, "JWT_SECRET": JWT_SECRET}
            if has_console:
                ways = {"CONSOLE_PLATFORM_URL": url, "CONSOLE_GATEWAYS": gateway_url, "CONSUMER_GROUP": topic}
                stack.enter_context(console(database, console_port, {**given, **ways}))
                given = {**given, "CONSOLE_URL": console_url}
            stack.enter_context(platform(database, url, port, {**given, "TELEMETRY_URL": before_it.url}))
            for each in (port, console_port) if has_console else (port,):
                await eventually(partial(is_serving, each))
            await eventually(worker.is_ready)
            yield Hall(browser, before_it, worker, url, console_url, database)
        found = await take_audit(Cluster(bootstrap), database, topic)
        assert found.problems() == []


@contextmanager
def platform(database: str, url: str, port: int, settings: Mapping[str, str]) -> Iterator[None]:
    prepare(database)
    given = {**settings, "DATABASE_URL": database, "PUBLIC_ORIGIN": url, "PORT": str(port)}
    with process("EXAM_PLATFORM_", given, "examples.exam_platform.sessions"):
        yield


@contextmanager
def console(database: str, port: int, settings: Mapping[str, str]) -> Iterator[None]:
    """Run a console that has nothing but the grants of its roles."""
    assert CONSOLE.exists(), "build the pages: `make console`"
    with consumer_role(database, "reader") as reads, consumer_role(database) as replays:
        given = {**settings, "DATABASE_URL": reads, "CONSOLE_REPLAY_DATABASE_URL": replays, "CONSOLE_PORT": str(port)}
        with process("ATTEMPTLOG_", given, "attemptlog.cli", "console"):
            yield


@contextmanager
def process(prefix: str, settings: Mapping[str, str], *module: str) -> Iterator[None]:
    environment = os.environ | {f"{prefix}{name}": value for name, value in settings.items()}
    running = subprocess.Popen([sys.executable, "-m", *module], env=environment)
    try:
        yield
    finally:
        end(running)


def is_serving(port: int) -> bool:
    return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == httpx.codes.OK
