"""Who is away and who is not, in a real Chromium: `watchAbsence` of the built client in a page with frames."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from playwright.async_api import Browser, Page

from tests.support.documents import ROOT
from tests.support.eventually import eventually

pytestmark = pytest.mark.asyncio(loop_scope="module")

CLIENT = ROOT / "client/dist"
SETTLED_MS = 1_500  # longer than it takes to see that nobody is there, and than the time between two looks
PAGE = """\
<!doctype html>
<title>Exam</title>
<button id="first">first</button>
<iframe id="same" src="frame.html"></iframe>
<iframe id="cross" src="http://localhost:{port}/frame.html"></iframe>
<button id="last">last</button>
<script type="module">
  import {{ watchAbsence }} from "./client/absence.js";
  window.tracked = [];
  watchAbsence((type, payload) => window.tracked.push(payload), "01890a5d-ac96-774b-bcce-b302099a8057");
  window.isWatching = true;
</script>
"""
BLUR, FOCUS = {"state": "blur"}, {"state": "focus"}


class Exam:
    """A tab with the page, and what it tracked."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def settled(self) -> list[dict[str, Any]]:
        """Return what was tracked, once there is nothing more to come."""
        await self.page.wait_for_timeout(SETTLED_MS)
        return [{"state": it["state"]} for it in await self.payloads()]

    async def tracks(self, *expected: dict[str, Any]) -> None:
        async def has() -> bool:
            return [it["state"] for it in await self.payloads()] == [it["state"] for it in expected]

        await eventually(has)

    async def payloads(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = await self.page.evaluate("window.tracked")
        return found

    async def click_in(self, frame: str) -> None:
        await self.page.frame_locator(f"#{frame}").locator("input").click()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    assert (CLIENT / "absence.js").exists(), "build the client: `make player`"
    folder = tmp_path_factory.mktemp("site")
    (folder / "client").symlink_to(CLIENT)
    (folder / "frame.html").write_text("<!doctype html><title>Tool</title><input>")
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder))) as server:
        port = server.server_address[1]
        (folder / "index.html").write_text(PAGE.format(port=port))
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{port}/"
        server.shutdown()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        pass


@asynccontextmanager
async def exam(browser: Browser, site: str, *, is_focus_emulated: bool = False) -> AsyncIterator[Exam]:
    """Open the page. With the focus emulated, tabs do not take it from each other, but the browser's controls do."""
    context = await browser.new_context()
    page = await context.new_page()
    await page.goto(site)
    session = await context.new_cdp_session(page)  # after the page has got its process, or the emulation is back
    await session.send("Emulation.setFocusEmulationEnabled", {"enabled": is_focus_emulated})
    await page.bring_to_front()
    await page.wait_for_function("window.isWatching")
    await page.locator("#first").click()
    yield Exam(page)
    await context.close()


@pytest.mark.parametrize("frame", ["same", "cross"])
async def test_a_click_into_a_frame_of_the_page_is_no_absence(browser: Browser, site: str, frame: str) -> None:
    async with exam(browser, site) as it:
        await it.click_in(frame)
        assert await it.page.evaluate("document.activeElement.id") == frame
        assert await it.settled() == []
        await it.page.locator("#last").click()
        assert await it.settled() == []


async def test_neither_is_going_from_frame_to_frame(browser: Browser, site: str) -> None:
    async with exam(browser, site) as it:
        for frame in ("same", "cross", "same"):
            await it.click_in(frame)
        assert await it.settled() == []


@pytest.mark.parametrize(("element", "key"), [("last", "Tab"), ("first", "Shift+Tab")])
async def test_tabbing_from_the_page_into_the_browsers_controls_is_none(
    browser: Browser, site: str, element: str, key: str
) -> None:
    async with exam(browser, site, is_focus_emulated=True) as it:
        await it.page.locator(f"#{element}").focus()
        await it.page.keyboard.press(key)
        assert await it.page.evaluate("document.hasFocus()") is False
        assert await it.settled() == []
        await it.page.locator("#first").click()
        assert await it.settled() == []


async def test_neither_is_tabbing_there_from_within_a_frame(browser: Browser, site: str) -> None:
    async with exam(browser, site, is_focus_emulated=True) as it:
        await it.page.locator("#cross, #last").evaluate_all("all => all.forEach((one) => one.remove())")
        await it.click_in("same")
        await it.page.keyboard.press("Tab")
        assert await it.page.evaluate("document.hasFocus()") is False
        assert await it.settled() == []


async def test_another_window_is_an_absence_with_its_length(browser: Browser, site: str) -> None:
    async with exam(browser, site) as it:
        other = await it.page.context.new_page()
        await it.tracks(BLUR)
        await other.close()
        await it.page.bring_to_front()
        await it.tracks(BLUR, FOCUS)
        assert 0 < (await it.payloads())[1]["away_ms"] < 30_000


@pytest.mark.parametrize("frame", ["same", "cross"])
async def test_another_window_is_one_from_within_a_frame_too(browser: Browser, site: str, frame: str) -> None:
    async with exam(browser, site) as it:
        await it.click_in(frame)
        assert await it.settled() == []
        other = await it.page.context.new_page()
        await it.tracks(BLUR)
        await other.close()
        await it.page.bring_to_front()
        await it.tracks(BLUR, FOCUS)
