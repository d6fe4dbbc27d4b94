"""How a process ends that cannot go on: it says why, once, and asks whoever serves it to end in order."""

import asyncio
import signal
import subprocess
import sys

import pytest

from attemptlog.runtime.ending import Ending
from tests.support.documents import ROOT
from tests.support.eventually import eventually


class Foreseen(Exception):
    """Says what to do."""


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    raised: list[int] = []
    monkeypatch.setattr("signal.raise_signal", raised.append)
    return raised


def told(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, bool]]:
    return [(it.__dict__["action"], it.getMessage(), bool(it.exc_info)) for it in caplog.records]


def test_the_first_failure_is_told_with_its_trace_and_asks_for_the_end_once(
    signals: list[int], caplog: pytest.LogCaptureFixture
) -> None:
    ending, first = Ending("gateway"), LookupError("no\nDETAIL: a row")
    ending.give_up(first)
    ending.give_up(ZeroDivisionError())
    assert ending.failure is first
    assert signals == [signal.SIGTERM]
    assert told(caplog) == [("gateway_failed", "the gateway stops: no", True)]


def test_a_failure_that_says_what_to_do_has_no_trace(signals: list[int], caplog: pytest.LogCaptureFixture) -> None:
    Ending("consumer", foreseen=Foreseen).give_up(Foreseen("accept the loss\nROW: x"))
    assert told(caplog) == [("consumer_failed", "the consumer stops: accept the loss", False)]
    assert signals


def test_a_failure_without_a_word_has_a_name(signals: list[int], caplog: pytest.LogCaptureFixture) -> None:
    Ending("gateway").give_up(asyncio.CancelledError())
    assert told(caplog) == [("gateway_failed", "the gateway stops: CancelledError", True)]
    assert signals


async def test_who_fails_waits_until_the_ending_has_begun(signals: list[int]) -> None:
    ending = Ending("consumer")
    failing = asyncio.create_task(ending.fail(ValueError("no")))
    await eventually(lambda: signals)
    assert not failing.done()
    ending.begun.set()
    await asyncio.wait_for(failing, 5)


async def test_what_a_task_dies_of_is_a_failure_and_its_end_is_none(signals: list[int]) -> None:
    async def work(error: Exception | None) -> None:
        if error is not None:
            raise error

    ending, died = Ending("gateway"), ValueError("no")
    for error in (None, died):
        task = asyncio.create_task(work(error))
        ending.watch(task)
        await asyncio.wait({task})
    await eventually(lambda: signals)
    assert ending.failure is died


LEAVING = """
import signal
from attemptlog.runtime.ending import Ending
ending = Ending("gateway")
{before}
signal.signal(signal.SIGTERM, ending.asked)
signal.raise_signal(signal.SIGTERM)
{then}
print("goes on")
"""


@pytest.mark.parametrize(
    ("before", "then", "status", "printed"),
    [
        ("", "", 128 + signal.SIGTERM, ""),
        ("ending.begun.set()", "", 0, "goes on\n"),
        ("ending.failure = ValueError()", "", 0, "goes on\n"),
        ("ending.begun.set()", "ending.leave_after_failure()", 0, "goes on\n"),
        ("ending.failure = ValueError()", "ending.leave_after_failure()", 1, ""),
    ],
    ids=["asked at once", "asked later", "asked after a failure", "leaves as asked", "leaves after a failure"],
)
def test_the_status_says_whether_it_was_asked_for(before: str, then: str, status: int, printed: str) -> None:
    program = LEAVING.format(before=before, then=then)
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (status, printed), done.stderr
