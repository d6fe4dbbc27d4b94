"""A candidate in a real browser, and what is in PostgreSQL of it afterwards."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import expect

from tests.support.candidate import ITEMS, Candidate
from tests.support.consumer import query
from tests.support.documents import ROOT
from tests.support.eventually import PATIENCE, eventually
from tests.support.front import Front
from tests.support.hall import DESKTOP, Hall, open_hall

pytestmark = pytest.mark.asyncio(loop_scope="module")

WIDTHS = (DESKTOP["width"], 390, 320)  # a desktop, a phone, a small phone
BY_THE_SERVICE = """
    SELECT seq, event_type, payload_json FROM attempt_events
    WHERE session_id = %s AND source = 'api' ORDER BY event_ts, id
"""
TIME_IS_UP = """
    WITH due AS (UPDATE exam_platform.attempts SET expires_at = now() WHERE session_id = %s RETURNING 1)
    SELECT count(*) FROM due
"""
AXE = ROOT / "node_modules/axe-core/axe.min.js"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hall(kafka_bootstrap: str, database: str, module_topic: str) -> AsyncIterator[Hall]:
    async with open_hall(kafka_bootstrap, database, module_topic) as it:
        yield it


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def well(hall: Hall) -> AsyncIterator[None]:
    """The gateway is well at the beginning of a test, and at the end its pages are closed, whose clocks cost time."""
    await hall.front.be_well()
    yield
    for context in hall.browser.contexts:
        await context.close()


async def test_a_candidate_sits_an_exam(hall: Hall) -> None:
    ada = await hall.candidate()
    await ada.answer(1)
    await ada.next()
    await ada.answer(0)
    await ada.answer(2)
    await ada.mark()
    await ada.look_away()
    await ada.next()
    await ada.previous()
    await ada.jump(7)
    await ada.next()
    await ada.review()
    await ada.submit()

    await hall.has_stored(ada)
    await eventually(lambda: len(hall.events(ada, BY_THE_SERVICE)) >= 8)
    assert [(kind, payload) for _, kind, payload in hall.events(ada, BY_THE_SERVICE)] == [
        ("SESSION_CREATED", {"items": ITEMS}),
        ("ANSWER_SELECTED", {"pos": 1, "choice": 1}),
        ("ANSWER_SELECTED", {"pos": 2, "choice": 0}),
        ("ANSWER_CHANGED", {"pos": 2, "choice": 2, "prev_choice": 0}),
        ("MARK_FOR_REVIEW_TOGGLED", {"pos": 2, "marked": True}),
        ("REVIEW_OPENED", {"marked": 1}),
        ("SESSION_SUBMITTED", {"answered": 2}),
        ("REVIEW_OPENED", {"marked": 1}),
    ]
    assert ada.console.complaints == []


async def test_each_opening_of_the_overview_and_the_result_is_told_once(hall: Hall) -> None:
    ada = await hall.candidate()
    await ada.jump(ITEMS)
    await ada.review()
    await ada.page.reload()
    await ada.has_heading("Review your answers")
    await ada.button("Back to questions").click()
    await ada.sees(ITEMS)
    await ada.page.go_back()
    await ada.has_heading("Review your answers")
    await ada.button("Back to questions").click()
    await ada.sees(ITEMS)
    await ada.review()
    await ada.submit()
    for _ in range(4):
        await ada.page.reload()
        await ada.has_heading("Your exam is handed in")
    twin = await Candidate.enter(ada.page.context)
    await twin.page.goto(ada.page.url)
    await expect(twin.page.get_by_text("of 8 right")).to_be_visible()

    def told() -> list[str]:
        return [kind for _, kind, _ in hall.events(ada, BY_THE_SERVICE)]

    opened = ["REVIEW_OPENED"]
    expected = ["SESSION_CREATED", *opened * 2, "SESSION_SUBMITTED", *opened]
    await eventually(lambda: told() == expected)


async def test_each_load_of_the_page_counts_by_itself(hall: Hall) -> None:
    ada = await hall.candidate()
    await ada.next()
    await ada.reload()
    await ada.next()
    await ada.reload()
    await ada.previous()
    await ada.leave()

    await hall.has_stored(ada, loads=3)


async def test_so_do_two_tabs_of_a_session(hall: Hall) -> None:
    ada = await hall.candidate()
    other = await ada.in_another_tab()
    for tab in (ada, other, ada, other, other, ada):
        await tab.next()
    await other.page.close()
    await ada.previous()
    await ada.leave()

    await hall.has_stored(ada, other, loads=2)


async def test_events_and_answers_from_offline_arrive_once_it_is_back(hall: Hall) -> None:
    ada = await hall.candidate()
    await ada.page.context.set_offline(True)
    await ada.page.get_by_role("radio").first.check()
    await ada.walk()
    assert len(hall.events(ada)) < len(ada.tracked)
    await ada.page.context.set_offline(False)
    await ada.jump(1)
    await ada.is_saved()

    await hall.has_stored(ada)
    assert ("ANSWER_SELECTED", {"pos": 1, "choice": 0}) in [it[1:] for it in hall.events(ada, BY_THE_SERVICE)]
    assert ada.console.complaints == []


async def test_a_tab_that_is_closed_sends_what_it_has(hall: Hall) -> None:
    ada = await hall.candidate()
    await ada.next()
    await ada.leave()

    await hall.has_stored(ada)


async def test_a_browser_that_is_closed_offline_sends_with_the_next_visit(hall: Hall) -> None:
    ada = await hall.candidate()
    await hall.front.be_down()
    await ada.walk()
    address, context = ada.page.url, ada.page.context
    await ada.page.close()
    await hall.front.be_well()
    later = await Candidate.enter(context)
    await later.page.goto(address)
    await later.sees(1)

    await hall.has_stored(Candidate(later.page, done=[*ada.done, *later.done]), loads=2)


async def test_another_device_need_not_know_what_the_first_one_sent(hall: Hall) -> None:
    ada = await hall.candidate()
    await ada.next()
    device = await hall.context()
    await device.add_cookies(await ada.page.context.cookies())  # type: ignore[arg-type]
    phone = await Candidate.enter(device)
    await phone.page.goto(ada.page.url)
    await phone.sees(1)
    await phone.next()
    await ada.next()
    await phone.leave()
    await ada.leave()

    await hall.has_stored(ada, phone, loads=2)


@pytest.mark.parametrize("trouble", ["down", "slow", 400, 403, 429, 503])
async def test_whatever_becomes_of_the_gateway_the_exam_goes_on(hall: Hall, trouble: str | int) -> None:
    ada = await hall.candidate()
    await spoil(hall.front, trouble)
    await ada.answer(1)
    await ada.walk()
    await ada.mark()
    await ada.previous()
    await ada.jump(1)
    await ada.review()
    await ada.submit()

    assert ada.console.complaints == []
    await hall.front.be_well()
    await ada.page.reload()  # the result: it sends what is left
    await hall.has_stored(ada)


async def spoil(before_it: Front, trouble: str | int) -> None:
    if trouble == "down":
        await before_it.be_down()
    elif trouble == "slow":
        before_it.be_slow()
    else:
        before_it.answer(int(trouble))


async def test_the_end_of_the_time_ends_the_exam(hall: Hall) -> None:
    ada = await hall.candidate()
    assert query(hall.database_url, TIME_IS_UP, ada.session) == [1]
    await ada.page.get_by_role("radio").first.check()
    await expect(ada.page.get_by_role("heading", name="The time is up")).to_be_visible()

    await eventually(lambda: len(hall.events(ada, BY_THE_SERVICE)) == 3)
    assert [kind for _, kind, _ in hall.events(ada, BY_THE_SERVICE)] == [
        "SESSION_CREATED",
        "SESSION_EXPIRED",
        "REVIEW_OPENED",
    ]


async def test_the_live_panel_shows_what_arrives_and_can_be_switched_off(hall: Hall) -> None:
    ada = await hall.candidate()
    stored = ada.page.get_by_test_id("stored-event")
    await expect(stored.filter(has_text="SESSION_CREATED")).to_be_visible(timeout=PATIENCE * 1000)
    await ada.answer(2)
    await expect(stored.filter(has_text="ANSWER_SELECTED")).to_contain_text("stored after")
    await ada.page.get_by_role("switch", name="Live events").press("Space")
    await expect(stored).to_have_count(0)


async def test_the_exam_can_be_sat_by_keyboard_alone(hall: Hall) -> None:
    ada = await hall.candidate()
    keyboard = ada.page.keyboard
    await tab_to(ada, "radio")
    await keyboard.press("Space")
    await keyboard.press("ArrowDown")
    await ada.is_saved()
    await keyboard.press("n")
    await ada.sees(2)
    await keyboard.press("m")
    await ada.is_saved()
    await tab_to(ada, "Review and submit")
    await keyboard.press("Enter")
    await tab_to(ada, "Submit exam")
    await keyboard.press("Enter")
    await tab_to(ada, "Submit now")
    await keyboard.press("Enter")
    await expect(ada.page.get_by_role("heading", name="Your exam is handed in")).to_be_visible()


async def tab_to(candidate: Candidate, what: str) -> None:
    """Press Tab until the focus is on a control with this text or of this type."""
    for _ in range(40):
        await candidate.page.keyboard.press("Tab")
        if what in await candidate.page.evaluate("[document.activeElement.type, document.activeElement.innerText]"):
            return
    raise AssertionError(f"{what} is not reached by Tab")


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_no_page_breaks_a_rule_of_accessibility_or_scrolls_sideways(hall: Hall, scheme: Any) -> None:
    context = await hall.context(color_scheme=scheme, reduced_motion="reduce")
    ada = await Candidate.enter(context)
    await ada.page.goto(hall.url)
    await is_accessible(ada)
    await ada.page.close()
    ada = await Candidate.begin(context, hall.url)
    await is_accessible(ada)
    await ada.answer(1)
    await ada.mark()
    await ada.review()
    await is_accessible(ada)
    await ada.button("Submit exam").click()
    await is_accessible(ada)
    await ada.button("Submit now").click()
    await expect(ada.page.get_by_text("right", exact=False).first).to_be_visible()
    await is_accessible(ada)


async def is_accessible(candidate: Candidate) -> None:
    """Look at the page at the width of a desktop, a phone and a small phone."""
    page = candidate.page
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.evaluate(AXE.read_text())
        found = await page.evaluate("axe.run().then((it) => it.violations.map((v) => [v.id, v.nodes[0].html]))")
        assert found == [], f"at {width} px"
    await page.set_viewport_size(DESKTOP)
