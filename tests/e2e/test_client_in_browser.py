"""The built client in a real Chromium, before a gateway that does as it is told: windows, frames, storage, quotas."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page

from tests.support.documents import ROOT
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENT = ROOT / "client/dist"
SESSION = "01890a5d-ac96-774b-bcce-b302099a8057"
POST = "/v1/telemetry/events"
PAGE = f"""\
<!doctype html>
<title>Exam</title>
<script>
  const usual = setInterval;
  window.setInterval = (what, delay) => usual(what, 1000 * delay); // or the next flush would send what a test waits for
</script>
<script type="module">
  import {{ createTelemetryClient }} from "./client/index.js";
  window.telemetry = createTelemetryClient("{SESSION}", "web");
</script>
"""
FRAME = '<!doctype html><iframe sandbox="allow-scripts" src="frame.html"></iframe>'
TRACK = """([from, to, size]) => {
    const note = "x".repeat(size);
    for (let pos = from; pos <= to; pos++) telemetry.track("QUESTION_VIEWED", { pos, note });
}"""
BUSY = """(pos) => {
    for (const end = performance.now() + 500; performance.now() < end; );
    telemetry.track("QUESTION_VIEWED", { pos });
}"""


class Gateway:
    """Takes events as the gateway does, once it is well; each once, by session, stream and seq."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str, int], int] = {}
        self.requests = 0
        self.status = 202
        self._lock = Lock()

    def take(self, batch: dict[str, Any]) -> tuple[int, bytes]:
        with self._lock:
            self.requests += 1
            if self.status != 202:
                return self.status, b'{"detail":"' + b"x" * 10_000 + b'"}'
            for event in batch["events"]:
                key = event["session_id"], batch["stream_id"], event["seq"]
                assert self.stored.setdefault(key, event["payload"]["pos"]) == event["payload"]["pos"]
            return 202, json.dumps({"accepted": len(batch["events"]), "rejected": 0}).encode()

    @property
    def positions(self) -> list[int]:
        return sorted(self.stored.values())

    async def has(self, *positions: int) -> None:
        """Wait until exactly these are stored."""
        await eventually(lambda: len(self.stored) >= len(positions))
        assert self.positions == sorted(positions)


class Handler(SimpleHTTPRequestHandler):
    """The page, and the gateway beside it; CORS is for a frame whose origin is opaque."""

    def __init__(self, *args: Any, gateway: Gateway, directory: str) -> None:
        self._gateway = gateway
        super().__init__(*args, directory=directory)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != POST:
            return self._answer(200, b"{}")
        return self._answer(*self._gateway.take(json.loads(body)))

    def do_OPTIONS(self) -> None:
        self._answer(204, b"")

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def end_headers(self) -> None:
        self.send_header("Access-Control-Allow-Origin", self.headers.get("Origin", "*"))
        self.send_header("Access-Control-Allow-Credentials", "true")
        self.send_header("Access-Control-Allow-Headers", "content-type")
        self.send_header("Cache-Control", "no-store")
        super().end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def gateway() -> Gateway:
    return Gateway()


@pytest.fixture
def site(tmp_path: Path, gateway: Gateway) -> Iterator[str]:
    assert (CLIENT / "index.js").exists(), "build the client: `make player`"
    (tmp_path / "client").symlink_to(CLIENT)
    for name, text in {"index": PAGE, "frame": PAGE, "outer": FRAME, "empty": "<!doctype html>"}.items():
        (tmp_path / f"{name}.html").write_text(text)
    handler = partial(Handler, gateway=gateway, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}/"
        server.shutdown()


@pytest_asyncio.fixture(loop_scope="module")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    it = await browser.new_context()
    yield it
    await it.close()


async def window(context: BrowserContext, url: str) -> Page:
    page = await context.new_page()
    await page.goto(url)
    await page.wait_for_function("window.telemetry")
    return page


async def track(page: Page, first: int, last: int, size: int = 0) -> None:
    await page.evaluate(TRACK, [first, last, size])


async def hide(page: Page) -> None:
    """Have the page think so; what listens to it does the rest."""
    await page.evaluate(
        """() => {
            Object.defineProperty(document, "visibilityState", { configurable: true, get: () => "hidden" });
            document.dispatchEvent(new Event("visibilitychange"));
            delete document.visibilityState;
        }"""
    )


async def test_two_windows_lose_nothing_though_one_is_busy(
    context: BrowserContext, site: str, gateway: Gateway
) -> None:
    busy, other = await window(context, site), await window(context, site)
    for round_ in range(5):
        working = asyncio.ensure_future(busy.evaluate(BUSY, 1000 + round_))
        first = 5 * round_ + 1
        await track(other, first, first + 4)
        await working
    for page in (busy, other):
        await page.evaluate("telemetry.flush()")

    await gateway.has(*range(1, 26), *range(1000, 1005))


async def test_what_a_closed_window_left_goes_with_the_next_one(
    context: BrowserContext, site: str, gateway: Gateway
) -> None:
    gateway.status = 503
    closed = await window(context, site)
    await track(closed, 1, 30)
    await closed.close()
    gateway.status = 202

    await window(context, site)

    await gateway.has(*range(1, 31))


async def test_a_sandboxed_frame_where_storage_and_locks_are_refused_sends(
    context: BrowserContext, site: str, gateway: Gateway
) -> None:
    page = await context.new_page()
    await page.goto(f"{site}outer.html")
    frame = page.frames[-1]
    await frame.wait_for_function("window.telemetry")
    assert (
        await frame.evaluate("navigator.locks.request('x', () => 1).then(() => 'granted', ({ name }) => name)")
        != "granted"
    )

    await frame.evaluate(TRACK, [1, 12, 0])
    await frame.evaluate("telemetry.flush()")

    await gateway.has(*range(1, 13))


async def test_hides_that_are_answered_503_keep_nothing_of_the_pages_keepalive_quota(
    context: BrowserContext, site: str, gateway: Gateway
) -> None:
    page = await window(context, site)
    gateway.status = 503
    for round_ in range(4):
        await track(page, 10 * round_ + 1, 10 * round_ + 10, size=2500)
        before = gateway.requests
        await hide(page)
        await eventually(lambda: gateway.requests > before)  # noqa: B023
        await page.wait_for_timeout(100)

    own = "fetch('/own', { method: 'POST', keepalive: true, body: 'x'.repeat(30_000) }).then(({ status }) => status)"
    assert await page.evaluate(own) == 200


@pytest.mark.parametrize("kib", [8, 50, 63])
async def test_a_page_with_keepalive_requests_of_its_own_in_flight_sends_smaller_ones(
    context: BrowserContext, site: str, gateway: Gateway, kib: int
) -> None:
    page = await window(context, site)
    await page.route("**/own", lambda _: None)  # never answered
    own = f"void fetch('/own', {{ method: 'POST', keepalive: true, body: 'x'.repeat({kib} * 1024) }})"
    await page.evaluate(own)
    await track(page, 1, 9, size=3000)

    await hide(page)

    await gateway.has(*range(1, 10))


async def test_a_storage_that_is_emptied_or_full_costs_nothing_of_an_open_page(
    context: BrowserContext, site: str, gateway: Gateway
) -> None:
    page = await window(context, site)
    gateway.status = 503
    await track(page, 1, 9)
    await page.evaluate("localStorage.clear()")
    await page.evaluate("localStorage.setItem('theirs', 'x'.repeat(5 * 1024 * 1024 - 100))")
    await track(page, 10, 60)
    gateway.status = 202
    await page.evaluate("telemetry.flush()")

    await gateway.has(*range(1, 61))


async def test_track_stays_quick_with_a_megabyte_waiting(
    context: BrowserContext, site: str, gateway: Gateway, record_property: Any
) -> None:
    gateway.status = 503
    page = await window(context, site)
    await track(page, 1, 400, size=2500)
    times = "Array.from({ length: 50 }, (_, pos) => { const begin = performance.now();"
    times += " telemetry.track('QUESTION_VIEWED', { pos, note: 'x'.repeat(400) }); return performance.now() - begin })"

    taken = sorted(await page.evaluate(times))

    record_property("median_ms", taken[25])
    assert taken[25] < 1
