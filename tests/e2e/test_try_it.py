"""The pages for those who write pages: their "Try it", word for word but for ports, in a real Chromium."""

import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page

from attemptlog.local_stack.ports import free_port
from tests.support.browser import chromium
from tests.support.command import Folder
from tests.support.documents import ROOT, Block, blocks
from tests.support.eventually import eventually
from tests.support.http import end

pytestmark = pytest.mark.asyncio(loop_scope="module")

PAGES = [ROOT / "docs/how-to/track-from-a-page.md", ROOT / "docs/how-to/track-from-react.md"]
PORT_IN_THE_TEXT = "5173"
PRESSED = ["QUESTION_VIEWED", "ANSWER_SELECTED"]


class Reader:
    """Somebody with a clone who does what a page says; `port` takes the place of the port that it names."""

    def __init__(self, clone: Folder, port: int, document: Path) -> None:
        self.clone = clone
        self.port = str(port)
        self.url = f"http://localhost:{self.port}"
        self._document = document
        make, self.prepare, self.serve, self.look = (self._own(it.text) for it in self._blocks("sh"))
        command, *given = make.split()[1:]
        assert command == "run"
        self.settings = dict(word.removeprefix("ATTEMPTLOG_").lower().split("=", 1) for word in given)

    def _blocks(self, *languages: str) -> list[Block]:
        section = blocks(self._document)
        return [it for it in section if it.language in languages and (it.mark or it.text.startswith("make run"))]

    def _own(self, text: str) -> str:
        return text.replace(PORT_IN_THE_TEXT, self.port)

    def write_files(self) -> None:
        for it in self._blocks("html", "ts", "tsx"):
            if it.mark.startswith("my-page/"):
                (self.clone.path / it.mark).write_text(self._own(it.text))

    def type(self, script: str) -> str:
        """Run a block to its end and return what it prints."""
        done = subprocess.run(
            ["sh", "-eu"],
            input=script,
            cwd=self.clone.path,
            env=self.clone.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    @contextmanager
    def serving(self) -> Iterator[None]:
        """Run the block that serves, on our port, until the end of the with block."""
        command = f"exec {self.serve.strip()} --port {self.port} --strictPort"
        with (self.clone.path / "vite.log").open("wb") as log:
            process = subprocess.Popen(
                ["sh", "-c", command], cwd=self.clone.path, stdout=log, stderr=log, start_new_session=True
            )
        try:
            yield
        finally:
            os.killpg(process.pid, signal.SIGTERM)  # npx does not hand it on to what it has started
            end(process)


@pytest.fixture(scope="module")
def clone(stack_directory: Path) -> Folder:
    """What `make run` finds and makes in a clone, as far as pages and commands need it."""
    it = Folder(stack_directory / "clone")
    shutil.copy(ROOT / "package.json", it.path)
    shutil.copytree(ROOT / "client/dist", it.path / "client/dist")
    shutil.copy(ROOT / "client/package.json", it.path / "client")
    (it.path / "node_modules").mkdir()
    for package in (ROOT / "node_modules").iterdir():
        target = it.path / "client" if package.name == "attemptlog-client" else package
        (it.path / "node_modules" / package.name).symlink_to(target)
    _write_venv(it.path / ".venv/bin")
    return it


def _write_venv(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "activate").write_text(f'PATH="{folder}:$PATH"\n')
    command = folder / "attemptlog"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m attemptlog.cli "$@"\n')
    command.chmod(0o755)


@pytest.fixture(scope="module")
def readers(clone: Folder) -> list[Reader]:
    port = free_port()
    found = [Reader(clone, port, page) for page in PAGES]
    assert found[0].settings == found[1].settings, "one `make run` serves both"
    return found


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(clone: Folder, readers: list[Reader]) -> AsyncIterator[None]:
    clone.settings |= readers[0].settings
    async with clone.up("--candidates=0", f"--kafka-port={free_port()}", f"--postgres-port={free_port()}"):
        yield


@pytest.mark.usefixtures("running")
@pytest.mark.parametrize("number", range(len(PAGES)), ids=[page.stem for page in PAGES])
async def test_a_page_of_ones_own_sends_to_make_run(readers: list[Reader], number: int) -> None:
    reader = readers[number]
    shutil.rmtree(reader.clone.path / "my-page", ignore_errors=True)
    reader.type(reader.prepare)
    reader.write_files()
    with reader.serving():
        async with _opened(reader.url) as (page, complaints):
            async with page.expect_response(re.compile("/v1/telemetry/events")) as response:
                await page.get_by_role("button").click()
            assert (await response.value).status == httpx.codes.ACCEPTED
            assert complaints == []
    await eventually(lambda: _shown(reader) == PRESSED)


def _shown(reader: Reader) -> list[str]:
    return re.findall(r"QUESTION_VIEWED|ANSWER_SELECTED", reader.type(reader.look))


@asynccontextmanager
async def _opened(url: str) -> AsyncIterator[tuple[Page, list[str]]]:
    async with chromium() as browser:
        page = await browser.new_page()
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda it: complaints.append(it.text) if "CORS" in it.text else None)
        await eventually(lambda: _goes_to(page, url))
        yield page, complaints


async def _goes_to(page: Page, url: str) -> bool:
    await page.goto(url)
    return await page.get_by_role("button").count() == 1
