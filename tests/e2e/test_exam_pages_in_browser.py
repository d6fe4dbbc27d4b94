"""The console's pages of exams in a real Chromium, under its Content-Security-Policy and before an API from a seed."""

from collections.abc import AsyncIterator
from urllib.parse import quote

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from tests.support.browser import Console
from tests.support.console_pages import AXE, DESK, PHONE, counted, faults
from tests.support.fake_console import COURSE, EMPTY, FAILING, KEYLESS, LARGE, LATE, SMALL, USUAL
from tests.support.fake_sitting import GROUPS
from tests.support.served import port_of

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHART = ".chart svg[role=img]"
CHARTS = 6  # of an exam of which everything is known
BEHIND = f"/sessions?question={USUAL.question_id(3)}&behind=WR&group={quote(GROUPS[2])}"
# How many charts each has. axe takes seconds for hundreds of rows, and finds in them what it finds in five.
SMALL_PAGES = {
    "#/": 0,
    f"#/exams/{COURSE.exam_id}": CHARTS,
    f"#/exams/{SMALL.exam_id}": CHARTS - 1,  # there are no thresholds
    f"#/exams/{KEYLESS.exam_id}": CHARTS - 2,
    f"#/exams/{EMPTY.exam_id}": 0,
    f"#/exams/{FAILING.exam_id}": 0,
    f"#/exams/{USUAL.exam_id}/sessions?complete=false": 0,
    f"#/exams/{USUAL.exam_id}{BEHIND}": 0,
}


@pytest_asyncio.fixture(loop_scope="module")
async def page(browser: Browser) -> AsyncIterator[Page]:
    """The console as an examiner sees it; it may complain of nothing."""
    console = Console()
    context = await browser.new_context(viewport=DESK)
    page = console.listen(await context.new_page())
    await page.goto(f"http://127.0.0.1:{port_of('tests.support.fake_console')}/#token=examiner")
    yield page
    await context.close()
    assert console.complaints == []


async def show(page: Page, address: str, charts: int = 0) -> None:
    await page.evaluate("(address) => { location.hash = address; }", address)
    await expect(page.locator("main .card, main .state:not([role=status])").first).to_be_visible()
    await expect(page.locator(CHART)).to_have_count(charts)


async def fits(page: Page) -> bool:
    return bool(await page.evaluate("document.documentElement.scrollWidth <= window.innerWidth"))


async def test_pages_fit_a_phone_and_a_desk_and_axe_finds_nothing(page: Page) -> None:
    await page.evaluate(AXE)
    for address, charts in SMALL_PAGES.items():
        await show(page, address, charts)
        if charts in {0, CHARTS}:
            assert await faults(page) == (False, []), address
        await page.set_viewport_size(PHONE)
        await page.emulate_media(color_scheme="dark")
        assert await faults(page) == (False, []), address
        await page.set_viewport_size(DESK)
        await page.emulate_media(color_scheme="light")


async def test_a_large_exam_fits_a_phone_and_a_desk(page: Page) -> None:
    await show(page, f"#/exams/{LARGE.exam_id}", CHARTS)
    assert await fits(page)
    await page.set_viewport_size(PHONE)
    await expect(page.locator(CHART).first).to_have_attribute("width", "294")
    assert await fits(page)


async def test_a_number_is_that_of_the_sessions_behind_it(page: Page) -> None:
    await show(page, f"#/exams/{COURSE.exam_id}", CHARTS)
    behind = await counted(page)
    assert len(behind) > 40
    assert [each for each in behind if each[0] != each[1]] == []


async def test_a_bar_leads_to_the_sessions_behind_it(page: Page) -> None:
    await show(page, f"#/exams/{COURSE.exam_id}", CHARTS)
    await page.locator(f"{CHART}[aria-label^='Sessions in which the answer changed'] .pick").first.click()
    await expect(page.locator("h1")).to_have_text("Question 1: answer changed from wrong to right")


async def test_a_page_says_how_late_it_is(page: Page) -> None:
    await page.clock.install()
    await show(page, f"#/exams/{LATE.exam_id}", CHARTS)
    await page.clock.fast_forward("00:31")
    await expect(page.locator(".late")).to_contain_text("the last look failed")
    await expect(page.locator(CHART)).to_have_count(CHARTS)


async def test_without_charts_there_are_still_numbers(page: Page) -> None:
    await page.route("**/plot-*.js", lambda route: route.abort())
    await show(page, f"#/exams/{COURSE.exam_id}")
    await expect(page.get_by_text("The chart cannot be loaded; its numbers are in the table.")).to_have_count(CHARTS)
    await expect(page.locator("table")).to_have_count(CHARTS)
