"""The page about a person, in a real Chromium."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from playwright.async_api import Browser

from tests.support.browser import Console, chromium
from tests.support.consumer import Partition, envelope
from tests.support.documents import ROOT
from tests.support.http import Exam, insert_exam
from tests.support.letters import attemptlog, store_records

AXE = ROOT / "node_modules/axe-core/axe.min.js"
WIDTHS = (360, 1280)
BEGAN = datetime(2026, 3, 2, 9, 14, 5, 123457, tzinfo=UTC)
ATTEMPT = [
    ("SESSION_CREATED", b'{"items":8}'),
    ("QUESTION_VIEWED", b'{"pos":1}'),
    ("ANSWER_SELECTED", b'{"pos":1,"choice":2}'),
    ("NAVIGATE_NEXT", b'{"from_pos":1,"to_pos":2,"dwell_ms":12480}'),
    ("PAUSE_BLUR", b'{"state":"focus","away_ms":5300}'),
    ("MARK_FOR_REVIEW_TOGGLED", b'{"pos":2,"marked":true}'),
    ("SESSION_SUBMITTED", b'{"answered":1}'),
]


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    async with chromium() as browser:
        yield browser


@pytest.fixture
def page_of_a_person(database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of somebody with an attempt, dead letters of each kind, a copy elsewhere, and people who looked."""
    monkeypatch.chdir(tmp_path)
    exam = insert_exam(database_url)
    other = Exam(user=insert_exam(database_url).user, session=exam.session, question=exam.question)
    events = [
        envelope(
            exam,
            seq,
            event_type=kind,
            payload_json=payload,
            event_ts=BEGAN + timedelta(seconds=9 * seq),
            client_ts=BEGAN + timedelta(seconds=9 * seq - 2),
            stream_id="0192f3a1-52c4-4d21-9d3e-8a1f6c0b7e01",
        )
        for seq, (kind, payload) in enumerate(ATTEMPT)
    ]
    unreadable = b"\x1f\x8b<b>" + 300 * b"x" + exam.user.encode()
    store_records(
        database_url,
        Partition().records(
            *events,
            envelope(exam, 0, payload_json=b"{}", stream_id=events[0].stream_id),
            envelope(other, 99),
            unreadable,
        ),
    )
    for arguments in (["export", "run", "--once"], ["sessions", "show", exam.session, "--why", "an appeal"]):
        attemptlog(database_url, *arguments, "--by", "Ada")
    file = tmp_path / "person.html"
    result = attemptlog(
        database_url, "person", "report", "--user", exam.user, "--html", file, "--why", "asked for it", "--by", "Ada"
    )
    assert result.exit_code == 0, result.output
    return file


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_the_page_fits_a_phone_and_a_desk_and_axe_finds_nothing(
    browser: Browser, page_of_a_person: Path, scheme: str
) -> None:
    context = await browser.new_context(color_scheme="dark" if scheme == "dark" else "light", bypass_csp=True)
    console = Console()
    page = console.listen(await context.new_page())
    for width in WIDTHS:
        await page.set_viewport_size({"width": width, "height": 800})
        await page.goto(page_of_a_person.as_uri())
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await page.evaluate(AXE.read_text())
        found = await page.evaluate("axe.run().then((it) => it.violations.map((v) => [v.id, v.nodes[0].html]))")
        assert found == [], f"at {width} px"
    assert console.complaints == []


async def test_nothing_in_the_page_runs(browser: Browser, page_of_a_person: Path) -> None:
    file = page_of_a_person
    file.write_text(file.read_text().replace("<main>", "<main><script>document.title = 'ran'</script>"))
    page = await browser.new_page()
    await page.goto(file.as_uri())
    assert await page.title() == "What is held about you"


async def test_on_paper_it_is_black_on_white_and_whole(browser: Browser, page_of_a_person: Path) -> None:
    context = await browser.new_context(color_scheme="dark")
    page = await context.new_page()
    await page.goto(page_of_a_person.as_uri())
    await page.emulate_media(media="print")
    colours = await page.evaluate(
        "(({color, backgroundColor}) => [color, backgroundColor])(getComputedStyle(document.body))"
    )
    assert colours == ["rgb(0, 0, 0)", "rgb(255, 255, 255)"]
    assert (await page.pdf()).startswith(b"%PDF")
