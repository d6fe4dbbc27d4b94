"""What docs/how-to/real-exams.md says of logging out and of frames, in a real Chromium with the built client."""

import json
from collections.abc import AsyncIterator, Iterator
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Frame, Page

from tests.support.documents import ROOT
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENT = ROOT / "client/dist"
SESSION = "01890a5d-ac96-774b-bcce-b302099a8057"
EXAM = f"""\
<!doctype html>
<title>Exam</title>
<script type="module">
  import {{ createTelemetryClient }} from "./client/index.js";
  window.client = createTelemetryClient("{SESSION}", "web");
</script>
"""
HAS_CLIENT = "() => window.client !== undefined"
TRACKS = "pos => { client.track('QUESTION_VIEWED', { pos }); return client.flush(); }"


class Site:
    """A platform and its gateway on one port."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.is_well = True
        self.stored: list[int] = []
        self.preflights: list[str] = []


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, site: list[Site], directory: str) -> None:
        self._site = site[0]
        super().__init__(*arguments, directory=directory)

    def end_headers(self) -> None:
        if self.command == "GET":
            self.send_header("Access-Control-Allow-Origin", "*")  # modules are loaded by the frame without an origin
        super().end_headers()

    def do_GET(self) -> None:
        if self.path != "/logout":
            return super().do_GET()
        return self._answer(HTTPStatus.OK, b"bye", {"Clear-Site-Data": '"storage"', "Content-Type": "text/html"})

    def do_OPTIONS(self) -> None:
        self._site.preflights.append(self.headers["Origin"])
        self._answer(HTTPStatus.BAD_REQUEST, b"", {})

    def do_POST(self) -> None:
        events = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["events"]
        if not self._site.is_well:
            return self._answer(HTTPStatus.SERVICE_UNAVAILABLE, b"", {})
        self._site.stored += [event["payload"]["pos"] for event in events]
        reply = {"accepted": len(events), "rejected": 0, "rejected_reasons_sample": []}
        return self._answer(HTTPStatus.ACCEPTED, json.dumps(reply).encode(), {"Content-Type": "application/json"})

    def _answer(self, status: HTTPStatus, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    assert CLIENT.exists(), "build the client: `make player`"
    (tmp_path / "client").symlink_to(CLIENT)
    (tmp_path / "exam.html").write_text(EXAM)
    box: list[Site] = []
    handler = partial(_Handler, site=box, directory=str(tmp_path))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        it = Site(server.server_address[1])
        box.append(it)
        (tmp_path / "sandbox.html").write_text('<iframe sandbox="allow-scripts" src="exam.html"></iframe>')
        Thread(target=server.serve_forever, daemon=True).start()
        yield it
        server.shutdown()


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    context = await browser.new_context()
    yield await context.new_page()
    await context.close()


async def framed(page: Page, url: str) -> Frame:
    await page.goto(url)
    await eventually(lambda: len(page.frames) == 2)
    await page.frames[1].wait_for_function(HAS_CLIENT)
    return page.frames[1]


async def opened(page: Page, url: str) -> Page:
    await page.goto(url)
    await page.wait_for_function(HAS_CLIENT)
    return page


async def test_clear_site_data_takes_what_waits_so_it_has_to_be_sent_before(site: Site, page: Page) -> None:
    for pos, is_well in enumerate((False, True), 1):
        site.is_well = is_well
        await (await opened(page, f"{site.url}/exam.html")).evaluate(TRACKS, pos)
        assert await page.evaluate("localStorage.length") == (0 if is_well else 1)
        await page.evaluate("window.client.track = undefined")
        site.is_well = False
        await page.goto(f"{site.url}/logout")
        assert await page.evaluate("localStorage.length") == 0
    site.is_well = True
    await (await opened(page, f"{site.url}/exam.html")).evaluate("() => client.flush()")
    assert site.stored == [2]


async def test_a_sandbox_without_an_origin_breaks_nothing_and_sends_nothing(site: Site, page: Page) -> None:
    complaints: list[str] = []
    page.on("pageerror", lambda error: complaints.append(str(error)))
    frame = await framed(page, f"{site.url}/sandbox.html")
    await frame.evaluate("() => void client.track('QUESTION_VIEWED', { pos: 1 })")
    await frame.evaluate("() => void client.flush()")
    await eventually(lambda: site.preflights)
    assert set(site.preflights) == {"null"}
    assert (site.stored, complaints) == ([], [])
