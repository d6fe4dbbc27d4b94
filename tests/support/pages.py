"""Pages of candidates, of any version of the client, in Node, and those from before streams."""

import asyncio
import json
import subprocess
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import httpx

from tests.support.documents import ROOT
from tests.support.eventually import PATIENCE
from tests.support.http import Exam, token

LIFETIME = 3600  # seconds of a token
EVERY_MS = 100  # between two events of a page
PAUSE = 0.2  # seconds between two batches of a page without a stream


def bundle(tree: Path, into: Path) -> Path:
    """Build a tree's client into one file, with this tree's esbuild."""
    command = [str(ROOT / "node_modules/.bin/esbuild"), str(tree / "client/src/index.ts"), "--bundle", "--format=esm"]
    subprocess.run([*command, "--log-level=error", f"--outfile={into}"], check=True, timeout=60)
    return into


@dataclass
class Pages:
    """One page per exam, which begins to track when it is opened."""

    process: "subprocess.Popen[str]"

    @classmethod
    def open(cls, client: Path, endpoint: str, exams: Sequence[Exam]) -> Self:
        """Open a page of the bundled client for each exam."""
        sessions = [
            {"session": it.session, "question": it.question, "token": token(it.user, exp=time.time() + LIFETIME)}
            for it in exams
        ]
        given = {
            "endpoint": endpoint,
            "sessions": sessions,
            "everyMs": EVERY_MS,
            "patienceMs": PATIENCE * 1000,
        }
        program = Path(__file__).with_name("pages.mjs")
        process = subprocess.Popen(["node", program, client], stdin=-1, stdout=-1, text=True)
        assert process.stdin is not None
        process.stdin.write(json.dumps(given) + "\n")
        process.stdin.flush()
        return cls(process)

    def close(self) -> list[dict[str, Any]]:
        """Let the pages send what they have, close them, and return what they say of it."""
        said, _ = self.process.communicate(timeout=2 * PATIENCE)
        assert self.process.returncode == 0
        pages: list[dict[str, Any]] = json.loads(said)
        return pages

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()


class PageWithoutStream:
    """A page from before streams, which sends as long as it is open: numbered by session, without `stream_id`."""

    def __init__(self, url: str, exam: Exam) -> None:
        self.accepted = 0
        self._url = url
        self._exam = exam
        self._headers = {"authorization": f"Bearer {token(exam.user, exp=time.time() + LIFETIME)}"}
        self._closing = asyncio.Event()

    async def __aenter__(self) -> Self:
        self._sending = asyncio.create_task(self._send())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._closing.set()
        await self._sending

    async def _send(self) -> None:
        async with httpx.AsyncClient(timeout=PATIENCE) as client:
            while not self._closing.is_set():
                events = [self._exam.event(seq=self.accepted + n) for n in range(1, 6)]
                body = {"source": "web", "events": events}
                with suppress(httpx.TransportError):
                    answer = await client.post(self._url, json=body, headers=self._headers)
                    assert answer.status_code in (202, 502, 503), answer.text
                    self.accepted += 5 * (answer.status_code == 202)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._closing.wait(), PAUSE)


def reload(before: Path, after: Path) -> list[Any]:
    """Return the batches that a client sends in the browser in which another one's page could not send its events."""
    program = Path(__file__).with_name("reload.mjs")
    done = subprocess.run(["node", program, before, after], capture_output=True, text=True, timeout=60, check=True)
    batches: list[Any] = json.loads(done.stdout)
    return batches
