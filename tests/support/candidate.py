"""A candidate who sits the example exam in a browser, and what the page has to track of it."""

import re
from dataclasses import dataclass, field
from typing import Any, Self

from playwright.async_api import BrowserContext, Locator, Page, expect

from tests.support.browser import Console
from tests.support.eventually import PATIENCE

PATIENCE_MS = PATIENCE * 1000
ITEMS = 8

Event = tuple[str, dict[str, Any]]

BY_THE_PAGE = {"QUESTION_VIEWED", "NAVIGATE_NEXT", "NAVIGATE_PREV", "NAVIGATE_JUMP", "PAUSE_BLUR"}


@dataclass
class Candidate:
    """A tab with the exam; `done` are the events of what its methods did in it, in that order, times left out."""

    page: Page
    console: Console = field(default_factory=Console)
    done: list[Event] = field(default_factory=list)
    pos: int = 1
    choices: dict[int, int] = field(default_factory=dict)
    marked: set[int] = field(default_factory=set)

    @property
    def tracked(self) -> list[Event]:
        """What the page tells of it; the service tells the rest."""
        return [event for event in self.done if event[0] in BY_THE_PAGE]

    @classmethod
    async def begin(cls, context: BrowserContext, url: str, name: str = "Ada") -> Self:
        """Log in as a new guest and begin the exam."""
        it = await cls.enter(context)
        await it.page.goto(url)
        await it.page.get_by_label("Your name").fill(name)
        await it.button("Start").click()
        it.done.append(("SESSION_CREATED", {"items": ITEMS}))
        await it.page.get_by_role("button", name=re.compile("^Begin ")).click()
        await it.sees(1)
        return it

    async def in_another_tab(self) -> Self:
        """Open the same session once more, in the same browser."""
        it = await self.enter(self.page.context)
        await it.page.goto(self.page.url)
        await it.sees(1)
        return it

    @classmethod
    async def enter(cls, context: BrowserContext) -> Self:
        """Open an empty tab."""
        page = await context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        it = cls(page)
        it.console.listen(page)
        return it

    @property
    def session(self) -> str:
        found = re.search(r"#/sessions/([0-9a-f-]{36})", self.page.url)
        assert found, self.page.url
        return found[1]

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    async def next(self) -> None:
        await self._move("NAVIGATE_NEXT", self.pos + 1, self.button("Next"))

    async def previous(self) -> None:
        await self._move("NAVIGATE_PREV", self.pos - 1, self.button("Previous"))

    async def jump(self, pos: int) -> None:
        """Go to a question that is not the next one, by the grid."""
        await self._move("NAVIGATE_JUMP", pos, self._item(pos))

    async def answer(self, choice: int) -> None:
        """Choose an answer and wait until it is saved."""
        await self.choose(choice)
        await self.is_saved()

    async def choose(self, choice: int) -> None:
        before = self.choices.get(self.pos)
        kind, of_before = ("ANSWER_SELECTED", {}) if before is None else ("ANSWER_CHANGED", {"prev_choice": before})
        self.done.append((kind, {"pos": self.pos, "choice": choice} | of_before))
        self.choices[self.pos] = choice
        await self.page.get_by_role("radio").nth(choice).check()

    async def mark(self) -> None:
        """Mark the question, which is not marked yet."""
        self.done.append(("MARK_FOR_REVIEW_TOGGLED", {"pos": self.pos, "marked": True}))
        self.marked.add(self.pos)
        await self.button("Mark for review").click()
        await self.is_saved()

    async def is_saved(self) -> None:
        """Wait until the service has what was changed; the question on the screen has to be one that was."""
        saved = self.page.get_by_role("status").get_by_text("Saved", exact=True)  # not "Not saved yet"
        await expect(saved).to_be_visible(timeout=PATIENCE_MS)

    async def look_away(self) -> None:
        """Go to another tab and come back."""
        emulation = await self.page.context.new_cdp_session(self.page)  # Playwright lets every page have the focus
        await emulation.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
        other = await self.page.context.new_page()
        await self._is_away(True)
        await other.close()
        await self.page.bring_to_front()
        await self._is_away(False)
        self.done += [("PAUSE_BLUR", {"state": "blur"}), ("PAUSE_BLUR", {"state": "focus"})]

    async def _is_away(self, expected: bool) -> None:
        key = f"attemptlog-away:{self.session}"
        read = "([key, expected]) => (sessionStorage.getItem(key) !== null) === expected"
        await self.page.wait_for_function(read, arg=[key, expected])

    async def reload(self) -> None:
        await self.page.reload()
        await self.sees(self.pos)

    async def leave(self) -> None:
        """Close the tab."""
        await self.page.close()

    async def walk(self) -> None:
        """Go through all questions, which is more than one flush."""
        while self.pos < ITEMS:
            await self.next()

    async def review(self) -> None:
        self._opens_the_overview()
        await self.button("Review and submit").click()
        await self.has_heading("Review your answers")

    async def submit(self) -> None:
        """Hand in, from the review; the result is an overview, too."""
        self.done.append(("SESSION_SUBMITTED", {"answered": len(self.choices)}))
        self._opens_the_overview()
        await self.button("Submit exam").click()
        await self.button("Submit now").click()
        await self.has_heading("Your exam is handed in")

    def _opens_the_overview(self) -> None:
        self.done.append(("REVIEW_OPENED", {"marked": len(self.marked)}))

    async def _move(self, event_type: str, to: int, control: Locator) -> None:
        self.done.append((event_type, {"from_pos": self.pos, "to_pos": to}))
        await control.click()
        self.pos = to
        await self.sees(to)

    async def sees(self, pos: int) -> None:
        """Wait for a question, which the page then tracks as viewed."""
        await self.has_heading(f"Question {pos} of {ITEMS}")
        # by an effect of the page; the one that tracks runs with it
        await expect(self.page.get_by_role("heading", name=f"Question {pos} of")).to_be_focused(timeout=PATIENCE_MS)
        self.done.append(("QUESTION_VIEWED", {"pos": pos}))

    async def has_heading(self, text: str) -> None:
        """Wait for a heading."""
        await expect(self.page.get_by_role("heading", name=text)).to_be_visible(timeout=PATIENCE_MS)

    def _item(self, pos: int) -> Locator:
        questions = self.page.get_by_role("navigation", name="Questions")
        return questions.get_by_role("button", name=re.compile(f"^Question {pos},"))
