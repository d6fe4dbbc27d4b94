"""From the exam to the console in a real Chromium: what candidates did is what is shown of it, to whom it may be."""

import re
from asyncio import gather
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Literal
from urllib.parse import urlencode
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, ViewportSize, expect

from examples.exam_platform.sessions.exam import EXAM_ID, TITLE
from tests.support.browser import Console
from tests.support.candidate import BY_THE_PAGE, ITEMS, PATIENCE_MS, Candidate
from tests.support.console import bearer
from tests.support.console_pages import AXE, DESK, PHONE, counted, faults
from tests.support.consumer import envelope
from tests.support.eventually import eventually
from tests.support.hall import Hall, open_hall
from tests.support.http import Exam, token
from tests.support.kafka import publish
from tests.support.sat_exam import changes, facility, moves, sentence, viewed, visits

pytestmark = pytest.mark.asyncio(loop_scope="module")

NOT_YOURS = "There is no such page, or it is not for you."
LOOKS: tuple[tuple[ViewportSize, Literal["light", "dark"]], ...] = ((DESK, "light"), (PHONE, "dark"))
AUDITOR = bearer(str(uuid4()), "auditor")
EVENTS = "SELECT seq FROM attempt_events WHERE session_id = %s"
LINES = ".timeline-line:not([data-kind=note]) .line-what"
# By the caption of a table, then by the position that a row begins with: the cells by name.
TABLES = """
    Object.fromEntries([...document.querySelectorAll("main table")].map((table) => [
        table.caption.textContent,
        Object.fromEntries([...table.tBodies[0].rows].map((row) => [
            row.querySelector(".position")?.textContent,
            Object.fromEntries([...row.querySelectorAll("td[data-name]")].map((cell) => [
                cell.dataset.name.replaceAll("\\u00a0", " "), (cell.querySelector("a") ?? cell).textContent,
            ])),
        ])),
    ]))
"""
OF_THE_API = "fetch(`/api/${location.hash.slice(2)}`).then((it) => it.json()).then((it) => it.lines)"
TOPS_OF_PLACES = "[...document.querySelectorAll('.bar li')].map((it) => it.getBoundingClientRect().top)"
WHO = "fetch('/api/me').then((it) => it.json()).then((it) => it.user_id)"
MOVES = (
    "[...document.querySelectorAll('.steps tbody tr')].map((row) => [...row.cells].map((it) => Number(it.textContent)))"
)


@dataclass
class Sat:
    """An exam that two have handed in, and a third is still at."""

    hall: Hall
    ada: Candidate
    bob: Candidate
    cyd: Candidate
    session: str  # of Ada
    console: Console = field(default_factory=Console)

    async def tab(self, **options: Any) -> Page:
        """Return a tab of somebody's own browser."""
        context = await self.hall.context(**options)
        page = self.console.listen(await context.new_page())
        page.set_default_timeout(PATIENCE_MS)
        return page

    async def staff(self, office: str, **options: Any) -> Page:
        """Return a tab in which somebody came in by the platform's link."""
        page = await self.tab(**options)
        await page.goto(self.hall.url)
        await page.get_by_role("link", name=office).click()
        await expect(page.locator(".bar-role")).to_have_text(office)
        return page

    def asked(self, path: str, headers: dict[str, str]) -> httpx.Response:
        return httpx.get(f"{self.hall.console_url}/api{path}", headers=headers)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sat(kafka_bootstrap: str, database: str, module_topic: str) -> AsyncIterator[Sat]:
    async with open_hall(kafka_bootstrap, database, module_topic, has_console=True) as hall:
        ada, bob, cyd = await gather(*(hall.candidate() for _ in range(3)))
        it = Sat(hall, ada, bob, cyd, ada.session)
        await gather(sit(hall, ada), sit_shortly(bob), cyd.next())
        await publish(kafka_bootstrap, module_topic, [envelope(Exam(), 1)])  # of a session that nobody knows
        await eventually(lambda: has_figures(it))
        yield it
        complaints = [each for them in (it, it.ada, it.bob, it.cyd) for each in them.console.complaints]
        assert complaints == []


async def sit(hall: Hall, ada: Candidate) -> None:
    """Answer, change an answer, jump, leave the window, reload, go offline and come back."""
    await ada.answer(1)
    await ada.next()
    await ada.answer(0)
    await ada.answer(1)
    await ada.jump(5)
    await ada.answer(0)
    await ada.look_away()
    await eventually(lambda: len(hall.events(ada)) >= len(ada.tracked) - 1)  # nobody is back and reloads at once
    await ada.reload()
    await ada.previous()
    await ada.page.context.set_offline(True)
    await ada.jump(7)
    await ada.choose(2)
    await ada.page.context.set_offline(False)
    await ada.is_saved()
    await ada.previous()
    await ada.mark()
    await ada.review()
    await ada.submit()


async def sit_shortly(bob: Candidate) -> None:
    await bob.answer(0)
    await bob.answer(2)
    await bob.next()
    await bob.answer(1)
    await bob.previous()
    await bob.review()
    await bob.submit()


def has_figures(sat: Sat) -> bool:
    """Say whether all that was done is stored, and worked out."""
    if any(len(sat.hall.events(each, EVENTS)) < len(each.done) for each in (sat.ada, sat.bob, sat.cyd)):
        return False
    exam = sat.asked(f"/exams/{EXAM_ID}", AUDITOR).json()
    return (exam["freshness"]["due"], exam["coverage"]["sessions"], exam["coverage"]["complete"]) == (0, 3, 2)


async def show(page: Page, place: str) -> None:
    await page.evaluate("(place) => { location.hash = place; }", place)


async def test_a_candidate_sees_what_they_did_in_the_order_they_did_it(sat: Sat) -> None:
    page = sat.ada.page
    await page.get_by_role("link", name="What was recorded of this exam").click()
    await expect(page.locator("h1")).to_have_text("Your attempt")
    await expect(page.get_by_text("This log is complete.")).to_be_visible()
    shown = in_the_order_done(await page.locator(LINES).all_text_contents(), await page.evaluate(OF_THE_API), sat.ada)
    expected = [sentence(event) for event in sat.ada.done]
    assert [text[: len(start)] for text, start in zip(shown, expected, strict=True)] == expected
    await expect(page.get_by_role("columnheader", name="Visits")).to_be_visible()
    await expect(page.get_by_role("columnheader", name="Mark")).to_have_count(0)
    await page.get_by_role("link", name="Exam platform").click()
    await expect(page).to_have_url(re.compile(re.escape(sat.hall.url)))
    await expect(page.get_by_role("link", name="auditor")).to_be_visible()


def in_the_order_done(texts: list[str], lines: list[dict[str, Any]], candidate: Candidate) -> list[str]:
    """Return the texts; a page's line may stand behind a service's only if it says that it may be that much earlier."""
    left = list(zip(texts, lines, strict=True))
    found = []
    for kind, _ in candidate.done:
        origin = "page" if kind in BY_THE_PAGE else "service"
        at = next(at for at, (_, line) in enumerate(left) if line["origin"] == origin)
        text, line = left.pop(at)
        assert all(earliest(line) <= earliest(before) for _, before in left[:at])
        assert at == 0 or origin == "page"
        found.append(text)
    return found


def earliest(line: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(line["at"]) - timedelta(milliseconds=line["late_by_ms"])


async def test_the_numbers_of_an_exam_are_those_of_what_its_candidates_did(sat: Sat) -> None:
    page = await sat.staff("examiner")
    await page.get_by_role("link", name=TITLE).click()
    await expect(page.locator("h1")).to_have_text(TITLE)
    figures = page.locator(".figures").first
    await expect(figures.locator("dd a")).to_have_text(["3", "2", "1"])  # in all, submitted, open
    await expect(figures.locator("dt")).to_have_text(["in all", "submitted", "expired", "open", "unknown"])
    await expect(page.locator(".coverage")).to_contain_text("2 of 3 logs are complete.")
    await expect(page.locator(".coverage li")).to_have_text(["1 no end"])

    tables = await page.evaluate(TABLES)
    both = [sat.ada, sat.bob]
    for pos in range(1, ITEMS + 1):
        times, of_changes, marks = (
            tables[f"{what} per question"][str(pos)] for what in ("Time", "Answer changes", "Difficulty")
        )
        assert (times["Viewed by"], times["Times"]) == (str(viewed(both)[pos]),) * 2
        of_kinds = {kind: int(number) for kind, number in of_changes.items() if "→" in kind}
        assert {kind: number for kind, number in of_kinds.items() if number} == {
            kind: number for (at, kind), number in changes(both).items() if at == pos
        }
        assert of_changes["All"] == str(sum(of_kinds.values()))
        assert marks["Facility"] == facility(both, pos)
    assert {(start, to): tuple(rest) for start, to, *rest in await page.evaluate(MOVES)} == moves(both)
    assert len(visits(sat.ada.done)) == 6

    behind = await counted(page)
    assert len(behind) > 20
    assert [each for each in behind if each[0] != each[1]] == []


async def test_a_figure_leads_to_the_attempt_and_who_opens_it_is_written_down(sat: Sat) -> None:
    examiner = await sat.staff("examiner")
    await show(examiner, f"#/exams/{EXAM_ID}")
    await examiner.locator("[data-name='wrong\u00a0→ right'] a").click()
    await expect(examiner.locator("h1")).to_have_text("Question 2: answer changed from wrong to right")
    await examiner.locator("th[scope=row] a").click()
    await expect(examiner.get_by_role("columnheader", name="Mark")).to_be_visible()
    await expect(examiner.locator(LINES).first).to_have_text(sentence(sat.ada.done[0]))

    auditor = await sat.staff("auditor")
    await auditor.get_by_role("link", name="Who looked").click()
    row = auditor.locator("tbody tr").first
    await expect(row.get_by_role("link", name=sat.session)).to_be_visible()
    await expect(row).to_contain_text(await examiner.evaluate(WHO))
    looks = sat.asked("/accesses", AUDITOR).json()["accesses"]
    candidate = await examiner.locator("dd").nth(1).text_content()
    assert candidate not in {each["by"] for each in looks}  # who looked at their own


async def test_an_officer_of_another_exam_is_told_of_none(sat: Sat) -> None:
    others: dict[str, Any] = {"attemptlog_role": "examiner", "attemptlog_exams": [str(uuid4())]}
    officer, page = token(str(uuid4()), **others), await sat.tab()
    for place in (f"/exams/{EXAM_ID}", f"/exams/{EXAM_ID}/sessions", f"/sessions/{sat.session}"):
        await page.goto("about:blank")
        await page.goto(f"{sat.hall.console_url}/#{urlencode({'token': officer, 'to': place})}")
        await expect(page.get_by_text(NOT_YOURS)).to_be_visible()
        assert sat.asked(place, {"authorization": f"Bearer {officer}"}).status_code == httpx.codes.NOT_FOUND


async def test_while_nobody_stores_operators_are_told_how_late_it_is(sat: Sat) -> None:
    page = await sat.staff("operator")
    standing = page.get_by_role("region", name="How late events are stored")
    await expect(standing).to_contain_text("All that has come is stored.")
    sat.hall.consumer.stop()
    await sat.cyd.answer(0)
    late = r"No consumer is running\. \d events? waits? in Kafka, the oldest for [1-9]\d* s\."
    await expect(standing).to_contain_text(re.compile(late), timeout=PATIENCE_MS)
    sat.hall.consumer.start()
    await expect(standing).to_contain_text("All that has come is stored.", timeout=PATIENCE_MS)


async def test_pages_fit_a_phone_and_a_desk_and_axe_finds_nothing(sat: Sat) -> None:
    page = await sat.staff("auditor", reduced_motion="reduce")
    await page.evaluate(AXE)
    await show(page, "#/operations/audit")
    await page.get_by_role("button", name="Audit now").click()
    await expect(page.locator("main")).to_contain_text("All records are accounted for", timeout=PATIENCE_MS)
    pages = {
        f"#/sessions/{sat.session}": "This log is complete.",
        f"#/exams/{EXAM_ID}": "2 of 3 logs are complete.",
        f"#/exams/{EXAM_ID}/sessions": "All sessions",
        "#/operations": "All that has come is stored.",
        "#/operations/dead-letters": "1 dead letter",
        "#/operations/live": "SESSION_SUBMITTED",
        "#/operations/audit": "All records are accounted for",
        "#/accesses": sat.session,
    }
    await page.set_viewport_size(PHONE)
    assert len(set(await page.evaluate(TOPS_OF_PLACES))) == 1  # one line
    for place, text in pages.items():
        await show(page, place)
        await expect(page.locator("main")).to_contain_text(text)
        for size, scheme in LOOKS:
            await page.set_viewport_size(size)
            await page.emulate_media(color_scheme=scheme)
            assert await faults(page) == (False, []), f"{place} at {size['width']} px, {scheme}"
