"""A real Chromium, and what a page in it says."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from playwright.async_api import Browser, ConsoleMessage, Error, Page, async_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome")
# No sandbox: it cannot be had as root in a container. The rest keeps the browser from calling its maker.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
# Chromium itself writes a failed request to the console, whatever the page does about it.
OF_THE_BROWSER = "Failed to load resource"


@asynccontextmanager
async def chromium() -> AsyncIterator[Browser]:
    """Start the browser of this machine."""
    executable = next(filter(None, map(shutil.which, NAMES)), None)
    assert executable, "no Chromium on PATH: `make chromium`"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Console:
    """The complaints of the pages it listens to: warnings, errors, exceptions that nobody caught."""

    complaints: list[str] = field(default_factory=list)

    def listen(self, page: Page) -> Page:
        page.on("console", self._note)
        page.on("pageerror", self._note_exception)
        return page

    def _note(self, message: ConsoleMessage) -> None:
        if message.type in {"warning", "error"} and not message.text.startswith(OF_THE_BROWSER):
            self.complaints.append(f"{message.type}: {message.text}")

    def _note_exception(self, error: Error) -> None:
        self.complaints.append(f"exception: {error}")
