"""The console's pages of an attempt and of who looked, in a real Chromium, under its Content-Security-Policy."""

import json
import mimetypes
import subprocess
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlsplit

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, Route, expect

from tests.support.browser import Console
from tests.support.console_pages import AXE, DESK, PHONE, faults
from tests.support.documents import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="module")

ADDRESS = "http://console.example"
DIST = ROOT / "console/pages/dist"
POLICY = "default-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
TORN, WHOLE, EMPTY, NOTHING = (f"0198c0de-0000-7000-8000-{number:012d}" for number in range(1, 5))
# What each says, and no other does.
PAGES = {
    f"#/sessions/{WHOLE}": "This log is complete.",
    f"#/sessions/{TORN}?why=appeal": "This log is not complete: 3 numbers are missing",
    f"#/sessions/{EMPTY}": "No event of this attempt is stored.",
    f"#/sessions/{NOTHING}": "There is no such page, or it is not for you.",
    "#/accesses": "Newest first.",
}
OF_WHOLE, OF_TORN, *_, ACCESSES = PAGES
ME: dict[str, Any] = {"user_id": NOTHING, "role": "auditor", "exams": [], "platform_url": None}
LOOK = {"at": "2026-03-02T09:00:00Z", "by": NOTHING, "command": "console", "reason": "appeal", "is_pseudonym": False}
LOOKS = {"accesses": [LOOK | {"subject_kind": "session", "subject": WHOLE}], "next": "1"}


async def attempts_of(page: Page) -> dict[str, Any]:
    """Return the attempts that the tests of the pages have, which are written in TypeScript, by session."""
    command = ["node_modules/.bin/esbuild", "console/pages/tests/attempts.ts", "--format=iife", "--global-name=it"]
    script = subprocess.run([*command, "--bundle"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    told = "JSON.stringify([it.tornAttempt(), it.wholeAttempt(), it.attempt([], {questions: []})])"
    found = json.loads(await page.evaluate(f"(() => {{ {script}; return {told}; }})()"))
    return {id_: each | {"session_id": id_} for id_, each in zip((TORN, WHOLE, EMPTY), found, strict=True)}


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """The console as an auditor sees it; it may complain of nothing."""
    console = Console()
    context = await browser.new_context(viewport=DESK, timezone_id="Europe/Berlin")
    page = console.listen(await context.new_page())
    api = {f"/api/sessions/{id_}": attempt for id_, attempt in (await attempts_of(page)).items()}
    api |= {"/api/me": ME, "/api/accesses": LOOKS}

    async def answer(route: Route) -> None:
        path = urlsplit(route.request.url).path
        if path.startswith("/api/"):
            body: Any = api.get(path, {"detail": "There is nothing here."})
            await route.fulfill(status=200 if path in api else 404, json=body)
            return
        file = DIST / (path.lstrip("/") or "index.html")
        kind = str(mimetypes.guess_type(file)[0])
        await route.fulfill(body=file.read_bytes(), headers={"Content-Type": kind, "Content-Security-Policy": POLICY})

    await page.route(f"{ADDRESS}/**", answer)
    await page.goto(f"{ADDRESS}/#/")
    await expect(page.locator("h1")).to_be_visible()
    yield page
    await context.close()
    assert console.complaints == []


async def show(page: Page, address: str) -> None:
    await page.evaluate("(address) => { location.hash = address; }", address)
    await expect(page.locator("main")).to_contain_text(PAGES[address])


async def test_pages_fit_a_phone_and_a_desk_and_axe_finds_nothing(page: Page) -> None:
    await page.evaluate(AXE)
    for address in PAGES:
        await page.emulate_media(color_scheme="light")
        await show(page, address)
        assert await faults(page) == (False, []), address
        await page.set_viewport_size(PHONE)
        await page.emulate_media(color_scheme="dark")
        assert await faults(page) == (False, []), address
        await page.set_viewport_size(DESK)


async def test_what_is_closed_is_printed_and_what_is_pressed_is_not(page: Page) -> None:
    await page.emulate_media(color_scheme="dark")
    await show(page, OF_TORN)
    await page.get_by_role("button", name="Close all").click()
    await expect(page.locator(".timeline-line")).to_have_count(0)
    assert (await page.pdf()).startswith(b"%PDF")
    await expect(page.locator(".timeline-line")).to_have_count(16)
    await page.emulate_media(media="print", color_scheme="dark")
    colours = "[getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor]"
    assert await page.evaluate(colours) == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    for control in await page.locator("main button, main form, main fieldset, .bar").all():
        await expect(control).to_be_hidden()


async def test_every_printed_page_says_what_it_is_of(page: Page) -> None:
    await show(page, OF_TORN)
    rules = await page.evaluate(
        "document.adoptedStyleSheets.flatMap((it) => [...it.cssRules].map((rule) => rule.cssText))"
    )
    assert [f"Session {TORN}, read 2 Mar 2026, 11:00:00 (Europe/Berlin, UTC+1)" in rule for rule in rules] == [True]
    assert PAGES[OF_TORN] in rules[0]
    await show(page, ACCESSES)
    assert await page.evaluate("document.adoptedStyleSheets.length") == 0


async def test_a_reason_for_looking_is_asked_with(page: Page) -> None:
    await show(page, OF_WHOLE)
    await page.get_by_label("Reason for looking").fill("an appeal")
    async with page.expect_request("**/api/sessions/*?why=an+appeal"):
        await page.keyboard.press("Enter")
    await expect(page.locator(".opening")).to_contain_text("with your reason")
    csv = page.get_by_role("link", name="Download CSV")
    await expect(csv).to_have_attribute("href", f"/api/sessions/{WHOLE}/timeline.csv?why=an+appeal")
