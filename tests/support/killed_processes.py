"""Processes that die where a test wants them to. Each is forked, so that none has to import anything."""

import os
import signal
import sys
from collections.abc import Callable, Collection
from types import FrameType
from typing import Any


def run(what: Callable[[], object], folders: Collection[str], end: float | None = None) -> int:
    """Do it in a process that dies at a line, an int, or after so many seconds, a float.

    Return how many lines of code below `folders` it ran, -1 where it died.
    """
    reading, writing = os.pipe()
    if (child := os.fork()) == 0:
        steps = Steps(folders, end if isinstance(end, int) else None)
        if isinstance(end, float):
            signal.setitimer(signal.ITIMER_REAL, end)  # whose signal ends a process wherever it is, as SIGKILL does
        else:
            sys.settrace(steps.trace)
        what()
        signal.setitimer(signal.ITIMER_REAL, 0)
        sys.settrace(None)
        os.write(writing, str(steps.count).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        said = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) in (signal.SIGKILL, signal.SIGALRM):
        return -1
    assert status == 0, "the process failed"
    return int(said)


class Steps:
    """Counts lines, and kills the process at one of them."""

    def __init__(self, folders: Collection[str], kill_at: int | None) -> None:
        self.count = 0
        self._folders = folders
        self._kill_at = kill_at

    def trace(self, frame: FrameType, event: str, _: Any) -> Any:
        """See sys.settrace."""
        if not any(folder in frame.f_code.co_filename for folder in self._folders):
            return None
        if event == "line":
            self.count += 1
            if self.count == self._kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self.trace
