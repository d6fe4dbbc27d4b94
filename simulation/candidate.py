"""Candidates who behave like those of a public exam log: 1,633 real sessions of two university exams.

There the median session has 137 events (log-normal, 19 to 1,075), navigation follows within seconds and answers within
minutes, half of the events share their timestamp with the one before, and the busiest second of all holds 22 events.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from operator import itemgetter
from random import Random
from typing import Any
from uuid import uuid5

import orjson

from attemptlog.schemas import EventType
from attemptlog.simulation.sitting import Event, Roster, Sitting, namespace

OLD_PAGES = 0.1  # share of sessions whose page sends no stream
GOES_ON_ELSEWHERE = 0.1  # share of the others that end in another load of the page, or at another device

QUESTIONS_PER_EXAM = 8
CHOICES_PER_QUESTION = 4

MEDIAN_EVENTS, SPREAD_OF_EVENTS = 137, 0.61  # log-normal
FEWEST_EVENTS, MOST_EVENTS = 19, 1075
LAST_EVENTS = 3  # the review and the submission, and room for an act of two events

CLOCK_STEPS_BACK = 0.128  # share of sessions
CLOCK_STEP_MS = (60_000, 3 * 3_600_000)
FLICKS_THROUGH = 0.01  # share of sessions that once page through the exam as fast as the keyboard repeats
FLICKED_QUESTIONS = 11  # two events each: 22 within a second
FLICK_MS = 80

# Shares of what follows a look at a question; the rest is navigation.
ANSWERS, MARKS, LOOKS_AWAY = 0.16, 0.03, 0.02
NEXT, PREVIOUS = 0.51, 0.25  # shares of navigation; the rest are jumps

# Milliseconds before an event: median and log-normal spread.
NAVIGATION_PAUSE = (2_300, 2.0)
ANSWER_PAUSE = (500_000, 0.77)
MARK_PAUSE = (1_500, 0.8)
AWAY = (5_000, 1.2)
TITLE = "Exam of a simulated class"
START_SPREAD_MS = 300_000  # candidates of a class start within five minutes


def roster_of(candidates: int, seed: str) -> Roster:
    """Return the class of a seed: one exam, and a user and a session per candidate."""
    ids = namespace(seed)
    key = {question: number % CHOICES_PER_QUESTION for number, question in enumerate(_questions(seed))}
    return Roster(
        exam_id=str(uuid5(ids, "exam")),
        question_ids=set(_questions(seed)),
        sessions={str(uuid5(ids, f"session:{n}")): str(uuid5(ids, f"user:{n}")) for n in range(candidates)},
        key=key,
        title=TITLE,
    )


def sittings_of(candidates: int, seed: str) -> Iterator[Sitting]:
    """Yield what each candidate of `roster_of(candidates, seed)` does; the same for the same seed."""
    questions = _questions(seed)
    for number, (session_id, user_id) in enumerate(roster_of(candidates, seed).sessions.items()):
        events = _Candidate(Random(f"{seed}:{number}"), questions).sit()  # noqa: S311
        yield Sitting(session_id, user_id, "web", _in_streams(events, f"{seed}:{number}"))


def _in_streams(events: list[Event], seed: str) -> list[Event]:
    """Return the events as pages number them, each load of a page from 1."""
    random = Random(f"{seed}:streams")  # noqa: S311
    if random.random() < OLD_PAGES:
        return events
    goes_on = random.randrange(1, len(events)) if random.random() < GOES_ON_ELSEWHERE else len(events)
    first, second = (str(uuid5(namespace(seed), name)) for name in ("first stream", "second stream"))
    return [
        *(replace(event, stream_id=first) for event in events[:goes_on]),
        *(replace(event, stream_id=second, seq=seq) for seq, event in enumerate(events[goes_on:], start=1)),
    ]


def _questions(seed: str) -> list[str]:
    return [str(uuid5(namespace(seed), f"question:{n}")) for n in range(QUESTIONS_PER_EXAM)]


@dataclass
class _Candidate:
    random: Random
    questions: list[str]
    events: list[Event] = field(default_factory=list)
    clock_ms: int = 0
    position: int = 1
    seen_at_ms: int | None = 0  # None once the clock was set since: then nobody can say how long
    answers: dict[int, int] = field(default_factory=dict)
    marked: set[int] = field(default_factory=set)

    def sit(self) -> list[Event]:
        total = self._number_of_events()
        surprises = sorted(self._surprises(total), key=itemgetter(0))
        self.clock_ms = self.random.randrange(START_SPREAD_MS)
        self._do("SESSION_CREATED", {"items": len(self.questions)}, on_question=False)
        self._view()
        while len(self.events) < total - LAST_EVENTS:
            if surprises and len(self.events) >= surprises[0][0]:
                surprises.pop(0)[1]()
            else:
                self._act()
        self._finish()
        return self.events

    def _number_of_events(self) -> int:
        drawn = self.random.lognormvariate(math.log(MEDIAN_EVENTS), SPREAD_OF_EVENTS)
        return min(MOST_EVENTS, max(FEWEST_EVENTS, round(drawn)))

    def _surprises(self, total: int) -> Iterator[tuple[int, Callable[[], None]]]:
        """Yield what befalls this session and after how many events; early enough to stay within MOST_EVENTS."""
        for share, surprise in ((CLOCK_STEPS_BACK, self._set_clock_back), (FLICKS_THROUGH, self._flick_through)):
            if self.random.random() < share:
                yield self.random.randrange(2, max(3, total - 2 * FLICKED_QUESTIONS - LAST_EVENTS)), surprise

    def _act(self) -> None:
        drawn = self.random.random()
        if drawn < ANSWERS:
            self._answer()
        elif drawn < ANSWERS + MARKS:
            self._mark()
        elif drawn < ANSWERS + MARKS + LOOKS_AWAY:
            self._look_away()
        else:
            self._navigate()

    def _answer(self) -> None:
        self._pause(ANSWER_PAUSE)
        choice, before = self.random.randrange(CHOICES_PER_QUESTION), self.answers.get(self.position)
        self.answers[self.position] = choice
        if before is None:
            self._do("ANSWER_SELECTED", {"pos": self.position, "choice": choice})
        else:
            self._do("ANSWER_CHANGED", {"pos": self.position, "choice": choice, "prev_choice": before})

    def _mark(self) -> None:
        self._pause(MARK_PAUSE)
        self.marked ^= {self.position}
        self._do("MARK_FOR_REVIEW_TOGGLED", {"pos": self.position, "marked": self.position in self.marked})

    def _look_away(self) -> None:
        self._do("PAUSE_BLUR", {"state": "blur"}, on_question=False)
        away_ms = self._pause(AWAY)
        self._do("PAUSE_BLUR", {"state": "focus", "away_ms": away_ms}, on_question=False)

    def _navigate(self) -> None:
        self._pause(NAVIGATION_PAUSE)
        drawn = self.random.random()
        if drawn < NEXT and self.position < len(self.questions):
            self._go("NAVIGATE_NEXT", self.position + 1)
        elif NEXT <= drawn < NEXT + PREVIOUS and self.position > 1:
            self._go("NAVIGATE_PREV", self.position - 1)
        else:
            others = [n for n in range(1, len(self.questions) + 1) if n != self.position]
            self._go("NAVIGATE_JUMP", self.random.choice(others))

    def _set_clock_back(self) -> None:
        self._do("PAUSE_BLUR", {"state": "blur"}, on_question=False)
        self.clock_ms -= self.random.randrange(*CLOCK_STEP_MS)
        self.seen_at_ms = None
        self._do("PAUSE_BLUR", {"state": "focus"}, on_question=False)

    def _flick_through(self) -> None:
        self.clock_ms += 2_000 - self.clock_ms % 1_000  # a second of its own
        for _ in range(FLICKED_QUESTIONS):
            is_last = self.position == len(self.questions)
            self._go(*(("NAVIGATE_JUMP", 1) if is_last else ("NAVIGATE_NEXT", self.position + 1)))
            self.clock_ms += FLICK_MS
        self.clock_ms += 1_000

    def _go(self, event_type: EventType, position: int) -> None:
        dwell = {} if self.seen_at_ms is None else {"dwell_ms": self.clock_ms - self.seen_at_ms}
        self._do(event_type, {"from_pos": self.position, "to_pos": position} | dwell)
        self.position = position
        self._view()

    def _view(self) -> None:
        self.seen_at_ms = self.clock_ms
        self._do("QUESTION_VIEWED", {"pos": self.position})

    def _finish(self) -> None:
        self._pause(NAVIGATION_PAUSE)
        self._do("REVIEW_OPENED", {"marked": len(self.marked)}, on_question=False)
        self._pause(NAVIGATION_PAUSE)
        self._do("SESSION_SUBMITTED", {"answered": len(self.answers)}, on_question=False)

    def _pause(self, pause: tuple[int, float]) -> int:
        median_ms, spread = pause
        pause_ms = round(self.random.lognormvariate(math.log(median_ms), spread))
        self.clock_ms += pause_ms
        return pause_ms

    def _do(self, event_type: EventType, payload: dict[str, Any], *, on_question: bool = True) -> None:
        question_id = self.questions[self.position - 1] if on_question else None
        seq = len(self.events) + 1
        text = b"%b" % orjson.dumps(payload)  # a copy: what orjson returns takes up nearly 4 KiB
        self.events.append(Event(seq, event_type, question_id, self.clock_ms, text))
