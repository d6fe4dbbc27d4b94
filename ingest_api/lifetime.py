"""How long a connection lives: it is served, or it waits until a deadline."""

import asyncio
from enum import Enum, auto
from typing import Any, cast

from attemptlog.ingest_api.connections import CROWDED, IDLE, UNTAKEN, Connections, Limits
from attemptlog.ingest_api.problems import BadRequest, Problem, SlowBody, SlowHead
from attemptlog.ingest_api.shedding import Full
from attemptlog.ingest_api.uvicorn_connection import UvicornConnection
from attemptlog.ingest_api.wire import WholeAnswers, answering, as_bytes


class Stage(Enum):
    """What the next bytes belong to."""

    BETWEEN = auto()  # a new request
    HEAD = auto()
    BODY = auto()  # of a request that is served
    REFUSED = auto()  # a body that is dropped: the gateway is full
    AGAIN = auto()  # a request that is read again without its upgrade


class BoundedConnection(UvicornConnection):
    """uvicorn's connection without what goes on for ever: who waits too long, or is one too many, is closed.

    What reads requests moves `_stage` on, and sets `_deadline` to None when it does.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._connections: Connections = self._services.connections
        self._limits: Limits = self._connections.limits
        self._stage = Stage.BETWEEN
        self._deadline: float | None = None  # of this stage, once it is waited for
        self._is_deaf = False  # what arrives is dropped
        self._is_waited_for = True  # to end its side, before the connection is closed
        self._timer: asyncio.TimerHandle | None = None
        self._untaken: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin, or refuse when there are too many."""
        self._answers = WholeAnswers(transport, self.loop, self._close)
        super().connection_made(cast("asyncio.Transport", self._answers))
        self._connections.open += 1
        if self._connections.has_room(self._all):
            self._wait()
        else:
            self._connections.ended.labels(CROWDED).inc()
            self._end_with(Full())

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.open -= 1
        self._is_deaf = True
        self._stop_timer()
        if self._untaken is not None:
            self._untaken.cancel()
        super().connection_lost(exc)

    def eof_received(self) -> bool:  # type: ignore[override]  # as in asyncio
        """Return whether an answer is still to be given: a caller may end its side once it has asked."""
        self._is_waited_for = False
        if self._stage is not Stage.BETWEEN:
            self._read_no_more(BadRequest("the connection was ended in the middle of a request"))
        elif self._is_served():
            self._is_deaf = True
            self._make_answer_last()
        if not self._is_served():
            self._answers.close()  # what is written and not yet sent, too
        return not self._answers.is_closing()

    def shutdown(self) -> None:
        """Close as soon as what was asked is answered: the server stops."""
        if self._answers.is_closing():
            self._answers.abort()
        self._is_waited_for = self._is_waited_for and self._is_served()
        super().shutdown()

    def pause_writing(self) -> None:
        """Wait for the caller to take its answers, for so long as a head may take, and read no more requests."""
        super().pause_writing()
        self._read_later()
        self._untaken = self.loop.call_later(self._limits.head_deadline, self._give_up, UNTAKEN)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._read_on()
        if self._untaken is not None:
            self._untaken.cancel()
            self._untaken = None

    def on_response_complete(self) -> None:
        """Serve the next request, or wait for one."""
        if self._answers.is_closing():
            return
        if not self._serve_next():
            self._wait()

    def waits_until(self) -> float | None:
        """Return when it is closed unless something arrives; None while it is served."""
        return None if self._timer is None else self._timer.when()

    def give_way(self) -> None:
        """Close at once."""
        self._stop_timer()
        self._answers.abort()

    def _time_is_up(self) -> None:
        if self._stage is Stage.BETWEEN:
            self._give_up(IDLE)
        elif self._stage is Stage.HEAD:
            self._read_no_more(SlowHead(f"the head took longer than {self._limits.head_deadline:g} s to arrive"))
        else:
            self._read_no_more(SlowBody(f"the body took longer than {self._limits.body_deadline:g} s to arrive"))

    def _wait(self) -> None:
        if self._deadline is None:
            self._deadline = self.loop.time() + self._patience()
        self._timer = self.loop.call_at(self._deadline, self._time_is_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _patience(self) -> float:
        if self._stage is Stage.BETWEEN:
            return self._limits.keep_alive
        return self._limits.head_deadline if self._stage is Stage.HEAD else self._limits.body_deadline

    def _read_no_more(self, problem: Problem) -> None:
        """Drop what is still to come, and answer what is being read, after the requests before it."""
        if self._is_deaf:
            return
        self._is_deaf = True
        self._connections.ended.labels(problem.code).inc()
        if self._stage is Stage.BODY:
            self._break_off(problem)
        elif self._is_served():
            self._make_answer_last()
        else:
            self._end_with(problem)

    def _break_off(self, problem: Problem) -> None:
        """End the newest request, whose body will never be complete."""
        if self._serve_by(answering(problem)):
            self._connections.refused.labels(problem.code).inc()
        elif self._take_back():
            self._end_with(problem)

    def _end_with(self, problem: Problem) -> None:
        self._connections.refused.labels(problem.code).inc()
        self._answers.write(as_bytes(problem, self.server_state.default_headers, is_last=True))
        self._answers.close()

    def _give_up(self, reason: str) -> None:
        self._connections.ended.labels(reason).inc()
        self._answers.abort()

    def _close(self) -> None:
        """Close; a caller that may be sending yet is told and waited for, or a reset would overtake its answer."""
        if not self._is_waited_for or (self._stage is Stage.BETWEEN and not self._is_deaf):
            self._answers.end()
            return
        self._is_deaf = True
        self._stop_timer()
        self._answers.write_eof()
        self._read_on()
        self._timer = self.loop.call_later(self._limits.head_deadline, self._answers.abort)
