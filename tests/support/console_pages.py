"""What is looked for on every page of the console in a browser."""

from typing import Any

from playwright.async_api import Page, ViewportSize

from tests.support.documents import ROOT

DESK, PHONE = (ViewportSize(width=width, height=900) for width in (1280, 360))
AXE = (ROOT / "node_modules/axe-core/axe.min.js").read_text()
FOUND = "axe.run({resultTypes: ['violations']}).then((it) => it.violations.map((v) => [v.id, v.nodes[0].html]))"
# Cells with a number of sessions; the others have a time or a share.
NUMBERS = (
    ".figures a, .coverage li a, td:not([data-name]):last-child a, "
    + ", ".join(f'td[data-name="{name}"] a' for name in ("Times", "Viewed by", "So short", "Of times", "Marked", "All"))
    + ', td[data-name*="→"] a'
)
COUNTED = f"""
    Promise.all([...document.querySelectorAll('{NUMBERS}')].map(async (it) => {{
        const [, exam, query = ""] = /^#(.+)\\/sessions(.*)$/.exec(it.getAttribute("href"));
        const {{total}} = await (await fetch(`/api${{exam}}/sessions${{query}}`)).json();
        return [it.textContent, String(total), query];
    }}))
"""


async def faults(page: Page) -> tuple[bool, list[Any]]:
    """Return whether the page is wider than the window, and what axe finds in it, which has to be in the page."""
    is_wider = await page.evaluate("document.documentElement.scrollWidth > window.innerWidth")
    return is_wider, await page.evaluate(FOUND)


async def counted(page: Page) -> list[list[str]]:
    """Return each figure of an exam's page, how many sessions are behind it, and its query."""
    found: list[list[str]] = await page.evaluate(COUNTED)
    return found
